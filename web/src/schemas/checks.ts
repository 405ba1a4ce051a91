/**
 * Checks of parsed JSON. `build/schema-code.ts` composes them as a JSON schema says.
 *
 * Unknown keys are allowed: a newer build may add some without changing what the old ones mean,
 * and raises the schema number if it changes that.
 */

/** Where a value departs from its schema, for messages. */
export interface Fault {
  readonly path: string;
  readonly expected: string;
}

/** Returns the first fault of a value, or null if it is a `Value`. */
export interface Check<Value> {
  (value: unknown, path: string): Fault | null;
  /** Never there; it lets {@link passes} know the type. */
  readonly type?: Value;
}

/** Returns whether a value passes a check. */
export function passes<Value>(check: Check<Value>, value: unknown): value is Value {
  return check(value, '') === null;
}

/** Checks one condition. */
export function check<Value>(holds: (value: unknown) => boolean, expected: string): Check<Value> {
  return (value, path) => (holds(value) ? null : { path, expected });
}

/** Checks an object's properties, in their order. */
export function object<Value>(properties: {
  readonly [Name in keyof Value]: Check<Value[Name]>;
}): Check<Value> {
  return (value, path) => {
    if (!isObject(value)) {
      return { path, expected: 'an object' };
    }
    for (const name in properties) {
      const fault = properties[name](value[name], path ? `${path}.${name}` : name);
      if (fault) {
        return fault;
      }
    }
    return null;
  };
}

/** Checks a list of objects. */
export function list<Item>(each: Check<Item>): Check<readonly Item[]> {
  return (value, path) => {
    if (!isList(value)) {
      return { path, expected: 'a list' };
    }
    for (const item of value) {
      const fault = each(item, path);
      if (fault) {
        return fault;
      }
    }
    return null;
  };
}

/** Allows null. */
export function nullable<Value>(other: Check<Value>): Check<Value | null> {
  return (value, path) => (value === null ? null : other(value, path));
}

/** Returns whether a value is an object that JSON writes in braces. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns whether a value is a list. */
export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** Returns whether a value is a text. */
export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Returns whether a value is a number. */
export function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Returns whether a value is a whole number that a float holds exactly. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
