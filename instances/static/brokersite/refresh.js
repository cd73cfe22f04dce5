// Replaces each part of the page that names where its present state is to be had,
// until that state names nothing any more. Without it, the page is as it was loaded.
"use strict";

const INTERVAL_MS = 2000;

async function refresh(part) {
  try {
    const response = await fetch(part.dataset.refreshUrl, { redirect: "error" });
    if (!response.ok) return watch(part);
    const fresh = document.createElement("template");
    fresh.innerHTML = (await response.text()).trim();
    const next = fresh.content.firstElementChild;
    // What the reader has opened stays open.
    for (const { id } of part.querySelectorAll("details[open]")) {
      next.querySelector(`#${id}`)?.setAttribute("open", "");
    }
    part.replaceWith(next);
    watch(next);
  } catch {
    watch(part);
  }
}

function watch(part) {
  if (part.dataset.refreshUrl) setTimeout(refresh, INTERVAL_MS, part);
}

document.querySelectorAll("[data-refresh-url]").forEach(watch);
