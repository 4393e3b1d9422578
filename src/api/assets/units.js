// Words and units for people. SI comes in; what a watchkeeper reads goes out. No DOM state here.

const DEG = 180 / Math.PI;

// SI unit: [factor, offset, unit shown, decimals]
const SHOWN = {
  "m/s": [1.943844, 0, "kn", 1],
  "rad/s": [DEG * 60, 0, "\u00b0/min", 1],
  "m3/s": [3.6e6, 0, "L/h", 1],
  rad: [DEG, 0, "\u00b0", 1],
  K: [1, -273.15, "\u00b0C", 1],
  Pa: [0.01, 0, "hPa", 1],
  Hz: [60, 0, "rpm", 0],
  ratio: [100, 0, "%", 0],
  m3: [1000, 0, "L", 0],
  C: [1 / 3600, 0, "Ah", 1],
  J: [1 / 3.6e6, 0, "kWh", 2],
  W: [0.001, 0, "kW", 1],
  s: [1 / 3600, 0, "h", 0],
  m: [1, 0, "m", 1],
  V: [1, 0, "V", 2],
  A: [1, 0, "A", 1],
};

// Where the usual unit of a quantity differs by place.
const SPECIAL = [
  [/^propulsion\..*pressure$/i, [1e-5, 0, "bar", 2]],
  [/^electrical\..*frequency$/, [1, 0, "Hz", 2]],
  [/^navigation\.(trip\.)?log$|distance/i, [1 / 1852, 0, "nm", 1]],
  [/horizontalDilution|dilution/i, [1, 0, "", 1]],
];

const WORDS = { gnss: "GNSS", ais: "AIS", mmsi: "MMSI", hdop: "HDOP", imo: "IMO" };

function angle(degrees, letters, width) {
  const whole = Math.floor(Math.abs(degrees));
  const minutes = ((Math.abs(degrees) - whole) * 60).toFixed(3).padStart(6, "0");
  return `${String(whole).padStart(width, "0")}\u00b0 ${minutes}\u2032 ${letters[degrees < 0 ? 1 : 0]}`;
}

export const position = (p) => [angle(p.latitude, "NS", 2), angle(p.longitude, "EW", 3)];

export function rule(path, unit) {
  const special = SPECIAL.find(([pattern]) => pattern.test(path));
  return special ? special[1] : SHOWN[unit];
}

// A value as [text, unit]; text may have two lines.
export function shown({ path, unit, value, quality }) {
  if (quality !== "good" || value === null || value === undefined) return ["\u2013\u2013", ""];
  if (typeof value === "object") return [position(value).join("\n"), ""];
  if (typeof value === "boolean") return [value ? "yes" : "no", ""];
  // A time of day is what fits a tile; the date stands behind it, one touch away.
  if (path === "navigation.datetime") return [String(value).slice(11, 19), "UTC"];
  if (typeof value !== "number") return [String(value), ""];
  const found = rule(path, unit);
  if (!found) return [String(+value.toPrecision(6)), unit];
  const [factor, offset, name, decimals] = found;
  let x = value * factor + offset;
  if (/rudderAngle$|angleApparent$|angleTrueWater$|angleTrueGround$/.test(path)) {
    return [Math.abs(x).toFixed(1) + name, x < 0 ? "port" : "stbd"];
  }
  if (/heading|course|direction|bearing/i.test(path) && unit === "rad") {
    x = ((x % 360) + 360) % 360;
    return [x.toFixed(1).padStart(5, "0") + name, ""];
  }
  return name === "\u00b0" ? [x.toFixed(decimals) + name, ""] : [x.toFixed(decimals), name];
}

// "environment.water.temperature" reads "Water temperature".
export function label(path) {
  const words = path
    .replace(/^propulsion\.([^.]+)\.(.+)$/, "$2 $1")
    .replace(/^(navigation|environment|steering|electrical|tanks)\./, "")
    .split(".")
    .flatMap((part) => part.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase().split(" "))
    .map((word) => WORDS[word] ?? word)
    .join(" ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function duration(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function bytes(count) {
  const power = count < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

export const number = (count) => count.toLocaleString("en").replaceAll(",", "\u202f");

// Writes only what differs, so that nothing blinks and nothing is laid out again.
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
