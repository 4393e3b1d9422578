// The page on board: values as they come, their age, and the state of the gateway. Text only, never HTML from data.

import { bytes, duration, el, label, number, position, put, rule, shown } from "./units.js";
import { drawStatus } from "./gateway.js";

const STALE_S = 10;
const GONE_S = 1800;
const LOST_MS = 5000;
const RETRY_MS = 3000;
const TILES_MAX = 400;
const TARGETS_MAX = 100;
const TREND_POINTS = 60;
const GROUPS = ["navigation", "environment", "propulsion", "electrical", "tanks", "steering"];
const FIRST = [
  "navigation.position", "navigation.speedOverGround", "navigation.courseOverGroundTrue", "navigation.headingTrue",
  "navigation.headingMagnetic", "navigation.speedThroughWater", "navigation.rateOfTurn", "environment.depth",
  "environment.wind.speedApparent", "environment.wind.angleApparent", "environment.wind", "environment.water",
  "environment.outside",
];

const $ = (id) => document.getElementById(id);
const byId = new Map(); // the gateway's series number, valid until the next snapshot
const byKey = new Map(); // own-ship tiles, kept over reconnects
const targets = new Map(); // other contexts: path to latest
let clockOffset = 0; // gateway's wall clock minus performance.now()
let heardAt = performance.now();
let triedAt = -Infinity;
let source;
let explained;

const gatewayNow = () => performance.now() + clockOffset;
const age = (item) => (gatewayNow() - Date.parse(item.received_at)) / 1000;

function connect() {
  source?.close();
  triedAt = performance.now();
  source = new EventSource("/api/stream");
  source.addEventListener("snapshot", (event) => {
    byId.clear();
    targets.clear();
    take(JSON.parse(event.data));
    drawTime();
  });
  source.addEventListener("values", (event) => take(JSON.parse(event.data)));
  source.addEventListener("status", (event) => {
    const status = JSON.parse(event.data);
    heard(status.now);
    drawStatus(status);
  });
  source.onerror = () => showLost(true);
}

function heard(now) {
  heardAt = performance.now();
  clockOffset = Date.parse(now) - heardAt;
  showLost(false);
}

function showLost(lost) {
  $("lost").hidden = !lost;
  document.body.classList.toggle("is-lost", lost);
  put($("live"), lost ? "Lost" : "Live");
}

function take({ now, values }) {
  heard(now);
  for (const item of values) {
    if (item.path !== undefined) meet(item);
    const entry = byId.get(item.id);
    if (!entry) continue;
    Object.assign(entry, item);
    if (entry.tile) paint(entry);
  }
  put($("waiting"), byId.size ? "" : "Waiting for the first reading");
}

// First sight of a series since the snapshot.
function meet(item) {
  if (item.context !== "vessels.self") {
    const target = targets.get(item.context) ?? {};
    targets.set(item.context, target);
    byId.set(item.id, (target[item.path] = item));
    return;
  }
  const key = [item.path, item.source, item.instance].join("|");
  const entry = byKey.get(key) ?? { key, trend: [] };
  if (!byKey.has(key)) {
    Object.assign(entry, item);
    byKey.set(key, entry);
    if (byKey.size <= TILES_MAX) addTile(entry);
  }
  byId.set(item.id, entry);
}

function addTile(entry) {
  const rank = FIRST.findIndex((path) => entry.path.startsWith(path));
  const tile = el("button", "tile");
  entry.order = `${String(rank < 0 ? 99 : rank).padStart(2, "0")} ${entry.path} ${entry.key}`;
  const name = label(entry.path) + (entry.instance ? ` (${entry.instance})` : "");
  const reading = el("span", "reading");
  const trend = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  trend.setAttribute("viewBox", "0 0 60 20");
  trend.setAttribute("preserveAspectRatio", "none");
  trend.setAttribute("aria-hidden", "true");
  trend.append(line);
  entry.tile = { tile, value: el("span", "value"), unit: el("span", "unit"), age: el("span", "age"), line };
  reading.append(entry.tile.value, entry.tile.unit);
  const foot = el("span", "foot");
  entry.tile.source = el("span", "source");
  foot.append(entry.tile.source, entry.tile.age);
  tile.append(el("span", "name", name), reading, trend, foot);
  tile.dataset.path = entry.path;
  tile.order = entry.order;
  tile.type = "button";
  tile.addEventListener("click", () => explain(entry));
  const first = entry.path.split(".")[0];
  const group = $(GROUPS.includes(first) ? first : "other");
  group.hidden = false;
  const tiles = group.querySelector(".tiles");
  tiles.insertBefore(tile, [...tiles.children].find((other) => other.order > entry.order) ?? null);
}

function paint(entry) {
  entry.tile.tile.hidden = entry.standby;
  const [text, unit] = shown(entry);
  put(entry.tile.value, text);
  put(entry.tile.unit, unit);
  // A number is never cut: a longer one is written smaller.
  const length = text.length + unit.length * 0.42;
  const size = length > 8 ? "long" : length > 6.8 ? "mid" : "";
  entry.tile.value.className = `value ${text.includes("\n") ? "lines" : size}`;
}

// Others that tell the same quantity; the gateway prefers one, which alone has a tile. Where none is on standby they are
// no rivals: battery 0 of one bus may be another battery than that of the next.
const rivals = (entry) => [...byKey.values()].filter((other) => other !== entry &&
  other.path === entry.path && other.instance === entry.instance && (entry.standby || other.standby));

function paintAge(entry) {
  const others = rivals(entry).length;
  put(entry.tile.source, others ? `${entry.source} +${others}` : entry.source);
  const seconds = age(entry);
  const stale = seconds > STALE_S;
  put(entry.tile.age, entry.quality === "good" ? duration(seconds) : entry.quality.replaceAll("_", " "));
  entry.tile.tile.classList.toggle("stale", stale || entry.quality !== "good");
  if (typeof entry.value !== "number" || stale) return;
  entry.trend.push(entry.value);
  if (entry.trend.length > TREND_POINTS) entry.trend.shift();
  const low = Math.min(...entry.trend);
  // A flat line stays in the middle: noise below a thousandth is no trend.
  const span = Math.max(Math.max(...entry.trend) - low, Math.abs(low) / 1000, 1e-9);
  const x0 = TREND_POINTS - entry.trend.length;
  const points = entry.trend.map((v, i) => `${x0 + i},${(18 - ((v - low) / span) * 16).toFixed(1)}`);
  entry.tile.line.setAttribute("points", points.join(" "));
}

const RAD = Math.PI / 180;
function metresBetween(a, b) {
  const x = (b.longitude - a.longitude) * RAD * Math.cos(((a.latitude + b.latitude) / 2) * RAD);
  return Math.hypot(x, (b.latitude - a.latitude) * RAD) * 6371000;
}

function drawTargets() {
  put($("target-count"), String(targets.size));
  $("ais").hidden = targets.size === 0;
  if (!$("ais").open) return;
  const ownPosition = (entry) => entry.path === "navigation.position" && entry.quality === "good" && !entry.standby;
  const own = [...byKey.values()].find(ownPosition)?.value;
  for (const [context, target] of targets) {
    if (Math.min(...Object.values(target).map(age)) > GONE_S) targets.delete(context);
  }
  const rows = [...targets].map(([context, target]) => {
    const at = target["navigation.position"];
    const away = own && at?.value ? metresBetween(own, at.value) : Infinity;
    const newest = Math.min(...Object.values(target).map(age));
    return { mmsi: context.split(":").pop(), target, at, away, newest };
  });
  rows.sort((a, b) => a.away - b.away);
  const text = (item) => (item ? shown(item).join(" ").trim() : "\u2013");
  $("targets").replaceChildren(...rows.slice(0, TARGETS_MAX).map(({ mmsi, target, at, away, newest }) => {
    const row = el("tr", newest > 180 ? "stale" : "");
    const cells = [
      target.name?.value ?? mmsi,
      away < Infinity ? `${(away / 1852).toFixed(1)} nm` : "\u2013",
      text(target["navigation.speedOverGround"]),
      text(target["navigation.courseOverGroundTrue"]),
      duration(newest),
    ];
    row.append(...cells.map((cell) => el("td", "", cell)));
    row.title = `MMSI ${mmsi}${at?.value ? `, ${position(at.value).join(" ")}` : ""}`;
    return row;
  }));
}

// "Why is this number shown": everything that is known of it.
function explain(entry) {
  explained = entry;
  drawExplained();
  $("why").showModal();
}

function drawExplained() {
  if (!explained) return;
  const conversion = typeof explained.value === "number" && rule(explained.path, explained.unit);
  const facts = {
    Shown: shown(explained).join(" ").replace("\n", ", "),
    "As stored": `${JSON.stringify(explained.value)} ${explained.unit}`.trim(),
    Conversion: conversion ? `\u00d7 ${+conversion[0].toPrecision(7)} ${conversion[1] || ""}`.trim() : "none",
    Path: explained.path,
    Source: explained.source,
    Context: explained.context,
    Instance: explained.instance || "the only one",
    "Also told by": rivals(explained).map((other) =>
      `${other.source}: ${shown(other).join(" ").replace("\n", ", ")} (${duration(age(other))} ago)`).join("; ") || "nobody",
    Quality: explained.quality.replaceAll("_", " "),
    Observed: explained.observed_at.replace("T", " "),
    Received: explained.received_at.replace("T", " "),
    Age: duration(age(explained)) + (age(explained) > STALE_S ? ": stale" : ""),
  };
  put($("why-title"), label(explained.path));
  const list = $("why-facts");
  if (!list.children.length) {
    for (const name of Object.keys(facts)) list.append(el("dt", "", name), el("dd"));
  }
  Object.values(facts).forEach((text, i) => put(list.children[2 * i + 1], text));
}

$("why-close").addEventListener("click", () => $("why").close());
$("why").addEventListener("click", (event) => event.target === $("why") && $("why").close());
$("why").addEventListener("close", () => { explained = undefined; });
$("ais").addEventListener("toggle", drawTargets);
addEventListener("online", connect);

setInterval(() => {
  const silent = performance.now() - heardAt;
  if (silent > LOST_MS) showLost(true);
  // The browser comes back by itself after a break, but not after a refusal or out of a frozen socket.
  const patience = source.readyState === EventSource.CONNECTING ? 2 * LOST_MS : RETRY_MS;
  const dead = silent > 2 * LOST_MS || source.readyState === EventSource.CLOSED;
  if (dead && performance.now() - triedAt > patience) connect();
  drawTime();
}, 1000);

function drawTime() {
  put($("clock"), new Date(gatewayNow()).toISOString().slice(11, 19));
  byKey.forEach((entry) => entry.tile && paintAge(entry));
  drawTargets();
  drawExplained();
}

connect();
