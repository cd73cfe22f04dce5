// Sends the file as the body of a PUT, so that nobody has to hold it, and says how far
// it has got.
"use strict";

const part = document.getElementById("upload");
const form = part.closest("form");
const text = document.getElementById("upload-text");
const progress = document.getElementById("upload-progress");
const button = form.querySelector("input[type=submit]");
let request = null;

function say(sentence, isWrong = false) {
  text.textContent = sentence;
  text.classList.toggle("errornote", isWrong);
}

function end(sentence) {
  request = null;
  button.disabled = false;
  progress.hidden = true;
  say(sentence, true);
}

function answered() {
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    // A page of a proxy's, or of the login.
  }
  if (request.status === 201 && answer.url) {
    request = null;
    location.assign(answer.url);
  } else {
    end(answer.error || `The broker has answered ${request.status}.`);
  }
}

function send(file) {
  const fields = new URLSearchParams();
  for (const name of ["checksum", "days", "note"]) {
    fields.set(name, form.elements[name].value.trim());
  }
  request = new XMLHttpRequest();
  request.open("PUT", `${part.dataset.url}?${fields}`);
  request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    const done = Math.floor((100 * loaded) / total);
    progress.value = done;
    const mib = (size) => `${(size / 2 ** 20).toFixed(1)} MiB`;
    say(
      loaded < total
        ? `${mib(loaded)} of ${mib(total)}, ${done} %`
        : "All of it is sent. Docker takes it in …",
    );
  });
  request.addEventListener("load", answered);
  request.addEventListener("error", () =>
    end("The connection has ended. The list of backups says why, if the broker knows."),
  );
  request.send(file);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [file] = document.getElementById("id_file").files;
  document.getElementById("upload-state").hidden = false;
  if (!file) return say("Choose a file first.", true);
  button.disabled = true;
  progress.hidden = false;
  progress.value = 0;
  say("Sending …");
  send(file);
});

window.addEventListener("beforeunload", (event) => {
  if (request) event.preventDefault();
});
