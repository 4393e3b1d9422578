// The fleet's page: asks every five seconds, and says so when nobody answers.

import { duration, el, number, position, put } from "./units.js";

const ASK_MS = 5000;
// A vessel at sea syncs every five minutes at least while its link is up.
const QUIET_S = 900;
const $ = (id) => document.getElementById(id);
const cards = new Map();

function newCard() {
  const card = el("article", "vessel");
  const head = el("div", "head");
  head.append(el("h2"), el("span", "is"));
  const facts = el("dl");
  for (const name of ["Position", "Speed", "Readings ashore", "Records", "Conflicts to decide"]) {
    const pair = el("div");
    pair.append(el("dt", "", name), el("dd"));
    facts.append(pair);
  }
  card.append(head, el("p", "note"), facts);
  return card;
}

function draw(fleet) {
  const now = Date.parse(fleet.now);
  put($("clock"), fleet.now.slice(11, 19));
  put($("count"), `${fleet.vessels.length} ${fleet.vessels.length === 1 ? "vessel" : "vessels"}`);
  put($("version"), `Hawser shore ${fleet.version}`);
  for (const vessel of fleet.vessels) {
    if (!cards.has(vessel.id)) cards.set(vessel.id, $("fleet").appendChild(newCard()));
    drawVessel(cards.get(vessel.id), vessel, now);
  }
}

function drawVessel(card, vessel, now) {
  const [head, note, facts] = card.children;
  const seconds = vessel.last_contact_at ? (now - Date.parse(vessel.last_contact_at)) / 1000 : Infinity;
  put(head.children[0], vessel.name || vessel.id);
  put(head.children[1], seconds === Infinity ? "Never seen" : `${duration(seconds)} ago`);
  head.children[1].className = `is ${seconds < QUIET_S ? "good" : "idle"}`;
  put(note, vessel.id);
  const place = vessel.position ? position(vessel.position).join("\n") : "\u2013";
  const speed = typeof vessel.speed_m_per_s === "number"
    ? `${(vessel.speed_m_per_s * 1.943844).toFixed(1)} kn`
    : "\u2013";
  const values = [place, speed, number(vessel.readings), number(vessel.records), number(vessel.pending_conflicts)];
  values.forEach((value, i) => put(facts.children[i].children[1], value));
  facts.children[4].children[1].className = vessel.pending_conflicts ? "is warn" : "";
}

async function ask() {
  try {
    const answer = await fetch("/api/fleet", { signal: AbortSignal.timeout(ASK_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    draw(await answer.json());
    $("lost").hidden = true;
    put($("live"), "Live");
    document.body.classList.remove("is-lost");
  } catch {
    $("lost").hidden = false;
    put($("live"), "Lost");
    document.body.classList.add("is-lost");
  }
  setTimeout(ask, ASK_MS);
}
ask();
