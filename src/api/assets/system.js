// Which version of the system runs, what could come next, and the buttons with which somebody on board agrees.

import { el, put } from "./units.js";

const $ = (id) => document.getElementById(id);
const KEY = "hawser-token";
let wanted = null;

export function systemLines(update) {
  const lines = [{
    name: "Version",
    value: update.version,
    state: update.on_trial ? "warn" : "good",
    note: update.on_trial ? `${update.slot}, on trial` : update.slot,
  }];
  const next = update.staged ?? update.offer?.version;
  if (next) lines.push({ name: update.staged ? "Ready to start" : "Newer", value: next, state: "warn" });
  if (update.doing === "installing") lines.push({ name: "Installing", value: `${update.percent} %`, part: update.percent / 100 });
  lines.push({ name: "Now", value: "", note: update.why });
  if (update.taken_back) {
    const { version, reasons } = update.taken_back;
    lines.push({ name: "Taken back", value: version, state: "bad", note: reasons.join("; ") });
  }
  if (update.last_error) lines.push({ name: "Failed", value: "", note: update.last_error, state: "bad" });
  return lines;
}

export function drawActions(update) {
  const next = update.staged ?? update.offer?.version;
  const actions = [];
  if (next && !update.approved) actions.push([`Install ${next}`, "install", {}]);
  if (update.staged && update.approved) actions.push(["Start it now", "install", { now: true }, "The gateway is blind for a minute. Start now?"]);
  if (update.on_trial) actions.push(["Take it back", "rollback", undefined, "Start the version before again?"]);
  else if (update.other_version) actions.push([`Back to ${update.other_version}`, "rollback", undefined, "The gateway is blind for a minute. Go back?"]);
  const box = $("system-actions");
  if (box.dataset.shown === JSON.stringify(actions)) return;
  box.dataset.shown = JSON.stringify(actions);
  box.replaceChildren(...actions.map(([text, verb, body, question]) => {
    const button = el("button", "", text);
    button.type = "button";
    button.onclick = () => (!question || confirm(question)) && order(verb, body);
    return button;
  }));
}

async function post(path, body) {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${localStorage.getItem(KEY) ?? ""}` };
  const answer = await fetch(path, { method: "POST", headers, body: body && JSON.stringify(body) });
  return { status: answer.status, body: await answer.json().catch(() => ({})) };
}

async function order(verb, body) {
  const answer = await post(`/api/update/${verb}`, body);
  if (answer.status === 401) {
    wanted = [verb, body];
    put($("sign-in-note"), "");
    $("sign-in").showModal();
  } else if (answer.body.error) {
    alert(`${answer.body.error.message}\n${answer.body.error.hint}`);
  }
}

// A setup code is eight letters; anything longer is the token itself.
async function signIn() {
  const given = $("sign-in-code").value.trim();
  if (given.length > 12) {
    localStorage.setItem(KEY, given);
  } else {
    const answer = await post("/api/setup", { code: given });
    if (!answer.body.token) return put($("sign-in-note"), answer.body.error?.message ?? "No answer");
    localStorage.setItem(KEY, answer.body.token);
  }
  $("sign-in").close();
  $("sign-in-code").value = "";
  if (wanted) order(...wanted);
}

$("sign-in-form").onsubmit = (event) => {
  event.preventDefault();
  signIn();
};
$("sign-in-close").onclick = () => $("sign-in").close();
