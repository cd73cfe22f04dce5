// Replaces each part of the page that names where its present state is to be had,
// until that state names nothing any more. Without it, the page is as it was loaded.
"use strict";

const INTERVAL_MS = 2000;
const bottom = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < 40;

async function refresh(part) {
  // Nobody looks: nothing is asked.
  if (document.hidden) return watch(part);
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
    // A log at its end stays there; one that is being read stays where it is.
    const log = part.querySelector(".log");
    const [top, ends] = log ? [log.scrollTop, bottom(log)] : [0, true];
    part.replaceWith(next);
    const fresher = next.querySelector(".log");
    if (fresher) fresher.scrollTop = ends ? fresher.scrollHeight : top;
    watch(next);
  } catch {
    watch(part);
  }
}

function watch(part) {
  if (part.dataset.refreshUrl) {
    setTimeout(refresh, Number(part.dataset.refreshMs) || INTERVAL_MS, part);
  }
}

document.querySelectorAll(".log").forEach((log) => {
  log.scrollTop = log.scrollHeight;
});
document.querySelectorAll("[data-refresh-url]").forEach(watch);
