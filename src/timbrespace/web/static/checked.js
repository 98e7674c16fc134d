// Checks of a session file: every field has the type and range that the page itself gives it, or the file is refused with the field's name.
const refuse = (place, wanted, value) => { throw new Error(`${place} must be ${wanted}, not ${shown(value)}`); };
const shown = (value) => { const text = JSON.stringify(value) ?? String(value); return text.length > 40 ? text.slice(0, 39) + "…" : text; };

/** Each of these returns check(value, place), which returns the value or throws an Error in words. */
export const number = (low, high) => (value, place) => (typeof value === "number" && value >= low && value <= high ? value : refuse(place, `a number from ${low} to ${high}`, value));
export const whole = (low, high) => (value, place) => (Number.isInteger(value) && value >= low && value <= high ? value : refuse(place, `a whole number from ${low} to ${high}`, value));
export const oneOf = (...values) => (value, place) => (values.includes(value) ? value : refuse(place, "one of " + values.join(", "), value));
export const words = (most) => (value, place) => (typeof value === "string" && value.length <= most ? value : refuse(place, `a text of at most ${most} letters`, value));
export const flag = (value, place) => (typeof value === "boolean" ? value : refuse(place, "true or false", value));
/** A seed of 64 bits as decimal digits: JSON's numbers hold only 53. Sessions of version 1 have numbers. */
export const seedText = (value, place) => {
  if (Number.isSafeInteger(value) && value >= 0) return String(value);
  return typeof value === "string" && /^(0|[1-9]\d{0,19})$/.test(value) && BigInt(value) < 2n ** 64n ? value : refuse(place, "a seed of decimal digits below 2^64", value);
};
export const orNull = (check) => (value, place) => (value === null ? null : check(value, place));
export const listOf = (check, least, most) => (value, place) => {
  if (!Array.isArray(value) || value.length < least || value.length > most) refuse(place, least === most ? `a list of ${most}` : `a list of ${least} to ${most}`, value);
  return value.map((one, i) => check(one, `${place} ${i + 1}`));
};
/** Fields name -> [check, value where it is missing]; no value: it must be there. Other fields are left out. */
export const recordOf = (fields) => (value, place) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(place, "an object", value);
  return Object.fromEntries(Object.entries(fields).map(([name, [check, missing]]) => {
    const given = Object.hasOwn(value, name) ? value[name] : missing?.();
    return [name, check(given, `${place}, ${name}`)];
  }));
};
/** Numbers by name, of the names given. */
export const numbersOf = (names, low, high) => (value, place) => {
  const found = recordOf(Object.fromEntries(names.map((name) => [name, [(one, at) => (one === undefined ? one : number(low, high)(one, at))]])))(value, place);
  for (const name of Object.keys(value)) if (!names.includes(name)) refuse(place, names.length ? "of " + names.join(", ") : "empty", name);
  return Object.fromEntries(Object.entries(found).filter(([, one]) => one !== undefined));
};
