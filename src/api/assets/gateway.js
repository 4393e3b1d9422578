// The gateway's own state as cards: shore, buses, store, brokers, records, and the alarms at the top.

import { drawActions, systemLines } from "./system.js";
import { bytes, duration, el, number, put } from "./units.js";

const $ = (id) => document.getElementById(id);
const CLOCKS = { gnss: "satellite", ntp: "NTP", rtc: "own clock", none: "not set" };
const DEVICES_SHOWN = 6;
const peaks = new Map();

// One line of a card: {name, value, state, note, part}. `part` is 0 to 1; `state` is good, bad, warn or idle.
function drawLines(card, lines) {
  const box = $(card);
  while (box.children.length > lines.length) box.lastChild.remove();
  lines.forEach((line, i) => {
    const node = box.children[i] ?? box.appendChild(newLine());
    const [head, bar, note] = node.children;
    put(head.children[0], line.name);
    put(head.children[1], line.value);
    head.children[1].className = `is ${line.state ?? ""}`;
    bar.hidden = line.part === undefined;
    bar.firstChild.style.width = `${Math.round(Math.min(1, Math.max(0, line.part ?? 0)) * 100)}%`;
    bar.firstChild.className = line.barState ?? "";
    put(note, line.note ?? "");
    note.hidden = !line.note;
  });
}

function newLine() {
  const node = el("div", "line");
  const head = el("div", "head");
  const bar = el("div", "bar");
  head.append(el("span"), el("span"));
  bar.append(el("i"));
  node.append(head, bar, el("p", "note"));
  return node;
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
const join = (...parts) => parts.filter(Boolean).join(" \u00b7 ");

export function drawStatus(status) {
  const now = Date.parse(status.now);
  const ago = (stamp) => (stamp ? `${duration((now - Date.parse(stamp)) / 1000)} ago` : "never");
  put($("vessel"), status.vessel.name || status.vessel.id);
  put($("clock-quality"), `UTC, ${CLOCKS[status.clock_quality]}`);
  const up = status.started_at && `up ${ago(status.started_at).replace(" ago", "")}`;
  put($("version"), join(`Hawser ${status.version}`, `vessel ${status.vessel.id}`, up));
  drawAlarms(status.alarms);
  drawLines("shore", shoreLines(status, ago));
  drawLines("buses", status.buses.map((bus) => busLine(bus, ago)));
  drawLines("store", storeLines(status.store, ago));
  drawLines("brokers", status.brokers.flatMap(brokerLines));
  drawLines("records", recordLines(status.records));
  const update = status.update?.slot ? status.update : null;
  drawLines("system", update ? systemLines(update) : []);
  drawActions(update ?? {});
  $("system").closest("section").hidden = !update;
  $("brokers").closest("section").hidden = status.brokers.length === 0;
}

function drawAlarms(alarms) {
  const text = alarms.length ? alarms : ["No alarms"];
  $("alarms").classList.toggle("bad", alarms.length > 0);
  const list = $("alarms").firstElementChild;
  if ([...list.children].map((item) => item.textContent).join("\n") === text.join("\n")) return;
  list.replaceChildren(...text.map((alarm) => el("li", "", alarm)));
}

function shoreLines({ shore, store }, ago) {
  if (!shore.configured) {
    return [{ name: "Link", value: "Not configured", state: "idle", note: "Everything stays on board" }];
  }
  const offline = shore.link !== "online";
  const all = store.durable_seq;
  const had = Math.min(shore.readings_acknowledged_seq, all);
  return [
    {
      name: "Link",
      value: offline ? "Offline" : "Online",
      state: offline ? "idle" : "good",
      note: join(
        shore.offline_since && `since ${ago(shore.offline_since)}`,
        `last contact ${ago(shore.last_success_at)}`,
      ),
    },
    {
      name: "Sync",
      value: capital(shore.health),
      state: { healthy: "good", degraded: "warn", unhealthy: "bad" }[shore.health],
      note: offline ? "Everything is kept until the link is back" : (shore.last_error ?? ""),
    },
    {
      name: "Readings ashore",
      value: all ? `${((100 * had) / all).toFixed(had === all ? 0 : 1)} %` : "none yet",
      part: all ? had / all : 0,
      note: `${number(all - had)} wait on board`,
    },
    { name: "Changes waiting", value: number(shore.pending_changes), state: shore.pending_changes ? "warn" : "" },
    { name: "Sent / received", value: `${bytes(shore.bytes_sent)} / ${bytes(shore.bytes_received)}` },
  ];
}

// The first few by name; all of them are in the status of the API.
function devices(all) {
  const names = all.slice(0, DEVICES_SHOWN).map((device) => device.model || device.function || device.source);
  return `${number(all.length)} ${all.length === 1 ? "device" : "devices"}: ${names.join(", ")}${all.length > names.length ? "\u2026" : ""}`;
}

function busLine(bus, ago) {
  const peak = Math.max(peaks.get(bus.name) ?? 0, bus.readings_per_s);
  peaks.set(bus.name, peak);
  const open = bus.state === "open";
  const [reasons, ignored] = [bus.rejected_by_reason, bus.ignored_by_reason].map((counts) =>
    Object.entries(counts).map(([reason, count]) => `${reason.replaceAll("_", " ")} ${number(count)}`).join(", "));
  return {
    name: bus.name,
    value: open ? `${bus.readings_per_s.toFixed(bus.readings_per_s < 100 ? 1 : 0)} /s` : capital(bus.state),
    state: open ? "good" : bus.state === "disabled" ? "idle" : "bad",
    part: peak ? bus.readings_per_s / peak : 0,
    note: join(
      `${bus.protocol} ${bus.address}`,
      `${number(bus.sentences)} messages`,
      bus.devices.length > 0 && devices(bus.devices),
      bus.stale_series > 0 && `${number(bus.stale_series)} series stale`,
      bus.standby > 0 && `${number(bus.standby)} readings on standby`,
      ignored && `passed over: ${ignored}`,
      bus.rejected ? `${number(bus.rejected)} rejected${reasons && ` (${reasons})`}` : "none rejected",
      `last ${ago(bus.last_data_at)}`,
      !open && bus.last_error,
    ),
  };
}

function storeLines(store, ago) {
  const behind = store.last_seq - store.durable_seq;
  return [
    {
      name: "On disk",
      value: bytes(store.bytes),
      part: store.bytes_max ? store.bytes / store.bytes_max : undefined,
      barState: store.bytes > 0.9 * store.bytes_max ? "warn" : "",
      note: join(
        store.bytes_max && `of ${bytes(store.bytes_max)}`,
        `${number(store.files)} files`,
        store.oldest && `oldest ${ago(store.oldest)}`,
      ),
    },
    { name: "Readings kept", value: number(store.readings) },
    {
      name: "Safe on disk",
      value: store.poisoned ? "Refuses writes" : behind ? `${number(behind)} to go` : "All",
      state: store.poisoned ? "bad" : "good",
      note: store.alarm ?? "",
    },
    { name: "Waiting for commit", value: number(store.waiting) },
  ];
}

function brokerLines(broker) {
  const connected = broker.state === "connected";
  return [
    { name: broker.name, value: capital(broker.state), state: connected ? "good" : "idle", note: broker.url },
    {
      name: "Change log",
      value: broker.cursor >= broker.head ? "Up to date" : `${number(broker.head - broker.cursor)} behind`,
      part: broker.head ? broker.cursor / broker.head : 1,
      note: `cursor ${number(broker.cursor)} of ${number(broker.head)}`,
    },
    {
      name: "Live queue",
      value: `${number(broker.ring_messages)} waiting`,
      part: broker.ring_messages_max ? broker.ring_messages / broker.ring_messages_max : undefined,
      barState: broker.ring_messages > 1000 ? "warn" : "",
      note: join(bytes(broker.ring_bytes), `${number(broker.published)} sent`, `${number(broker.dropped)} dropped`),
    },
  ];
}

function recordLines(records) {
  return [
    { name: "Changes", value: number(records.head) },
    { name: "Not yet ashore", value: number(records.pending) },
    { name: "Conflicts to decide", value: number(records.conflicts), state: records.conflicts ? "warn" : "" },
    { name: "Dead letters", value: number(records.dead_letters), state: records.dead_letters ? "bad" : "" },
  ];
}
