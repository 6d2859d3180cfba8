"""How the two sides of a JavaScript job talk: plain data as text over two pipes.

Read by `ftbench_sandbox_javascript`.
"""

from __future__ import annotations

# A message is a length (4 bytes) and lines of JSON: an operation with its values, then every object whose content the
# other side does not know yet, as "number content". Objects refer to each other by number, so depth, cycles and shared
# parts cost nothing, and an object keeps its identity and is kept in step when either side changes it in place.
# The program may patch whatever it likes for honest reasons, so all that is used here is fetched beforehand, and no
# iterator, spread or method of a prototype is relied on afterwards.
WIRE = r"""
"use strict";
const fs = require("node:fs"), util = require("node:util");
const { apply, defineProperty, deleteProperty, getOwnPropertyDescriptor, getPrototypeOf, isExtensible, ownKeys } =
  Reflect;
const reflectGet = Reflect.get, reflectSet = Reflect.set, reflectNew = Reflect.construct;
const { freeze, isFrozen, isSealed, preventExtensions, seal } = Object;
const { isArray } = Array, { isSafeInteger } = Number, { parse, stringify } = JSON, { readSync, writeSync } = fs;
const { isArgumentsObject, isArrayBuffer, isBoxedPrimitive, isDate, isExternal, isMap, isModuleNamespaceObject } =
  util.types;
const { isNativeError, isPromise, isProxy, isRegExp, isSet, isTypedArray } = util.types;
const method = (of, name) => { const found = of[name]; return (self, ...rest) => apply(found, self, rest); };
const getter = (of, name) => {
  const found = getOwnPropertyDescriptor(of, name).get;
  return (self) => apply(found, self, []);
};
const BigIntOf = BigInt, BufferOf = Buffer, DateOf = Date, ErrorOf = Error, MapOf = Map, ObjectOf = Object;
const RegExpOf = RegExp, SetOf = Set, SymbolOf = Symbol, StringOf = String;
const mapGet = method(Map.prototype, "get"), mapSet = method(Map.prototype, "set");
const mapClear = method(Map.prototype, "clear"), mapDelete = method(Map.prototype, "delete");
const mapEach = method(Map.prototype, "forEach");
const setAdd = method(Set.prototype, "add"), setClear = method(Set.prototype, "clear");
const setEach = method(Set.prototype, "forEach"), setHas = method(Set.prototype, "has");
const indexOf = method(String.prototype, "indexOf"), slice = method(String.prototype, "slice");
const startsWith = method(String.prototype, "startsWith"), hex = method(BigInt.prototype, "toString");
const dateGet = method(Date.prototype, "getTime"), dateSet = method(Date.prototype, "setTime");
const source = getter(RegExp.prototype, "source"), flags = getter(RegExp.prototype, "flags");
const hasOwn = method(Object.prototype, "hasOwnProperty"), described = getter(Symbol.prototype, "description");
const Typed = getPrototypeOf(Uint8Array.prototype), bytesOf = getter(Typed, "buffer");
const offset = getter(Typed, "byteOffset"), size = getter(Typed, "byteLength"), fill8 = method(Typed, "set");
const whole = getter(ArrayBuffer.prototype, "byteLength"), cut = method(ArrayBuffer.prototype, "slice");
const bufferFrom = Buffer.from, bufferAlloc = Buffer.allocUnsafeSlow, bufferText = method(Buffer.prototype, "toString");
const { wait } = Atomics, bell = new Int32Array(new SharedArrayBuffer(4));
const keyFor = Symbol.keyFor, symbolFor = Symbol.for;
const unboxed = new Map([["Number", Number], ["String", String], ["Boolean", Boolean], ["BigInt", BigInt]]);
mapEach(unboxed, (kind, name) => mapSet(unboxed, name, [kind.prototype, method(kind.prototype, "valueOf")]));

const LIMIT = 1 << 26;    // bytes of one message
const IN_STEP = 1 << 16;  // up to here every shared object is kept in step, beyond it those in reach of a call
const HELD = 1 << 24;     // beyond it identities from earlier calls are forgotten

const errors = new Map(), errorKinds = new Map(), views = new Map(), viewKinds = new Map(), known = new Map();
for (const kind of [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, AggregateError]) {
  errors.set(kind.prototype, kind.name);
  errorKinds.set(kind.name, kind);
}
for (const kind of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
  Float32Array, Float64Array, BigInt64Array, BigUint64Array, Buffer, ArrayBuffer]) {
  views.set(kind.prototype, kind.name);
  viewKinds.set(kind.name, kind);
}
for (const name of ownKeys(Symbol))
  if (typeof Symbol[name] === "symbol") {
    known.set(name, Symbol[name]);
    known.set(Symbol[name], name);
  }

const bare = (value) => ownKeys(value).length === 0;
const rubbish = () => { throw new ErrorOf("rubbish on the wire"); };

// Which base class an error has, "" where it is none.
const errorKind = (value) => {
  for (let at = value; at !== null; at = getPrototypeOf(at)) {
    const found = mapGet(errors, at);
    if (found) return found === "Error" && value.code === "ERR_ASSERTION" ? "AssertionError" : found;
  }
  return "";
};

// The letter of a plain object, "" for all that only a handle can stand for.
const kindOf = (value) => {
  const proto = getPrototypeOf(value);
  if (isArray(value)) return proto === Array_ ? "A" : "";
  if (proto === null || proto === Object_) {
    if (isProxy(value)) return "O";
    if (isArgumentsObject(value) || isModuleNamespaceObject(value) || isExternal(value) || isPromise(value)) return "";
    if (isMap(value) || isSet(value) || isDate(value) || isRegExp(value) || isBoxedPrimitive(value)) return "";
    if (isNativeError(value) || isTypedArray(value) || isArrayBuffer(value)) return "";
    const tag = getOwnPropertyDescriptor(value, toStringTag);
    return tag === undefined || tag.enumerable ? "O" : "";
  }
  if (isProxy(value)) return "";
  if (isMap(value)) return proto === Map_ && bare(value) ? "M" : "";
  if (isSet(value)) return proto === Set_ && bare(value) ? "T" : "";
  if (isDate(value)) return proto === Date_ && bare(value) ? "D" : "";
  if (isRegExp(value)) return proto === RegExp_ && ownKeys(value).length === 1 ? "R" : "";
  if (isTypedArray(value) || isArrayBuffer(value)) return mapGet(views, proto) ? "V" : "";
  if (isBoxedPrimitive(value)) return boxKind(value, proto) ? "X" : "";
  return errorKind(value) ? "E" : "";
};
const Array_ = Array.prototype, Object_ = Object.prototype, Map_ = Map.prototype, Set_ = Set.prototype;
const Date_ = Date.prototype, RegExp_ = RegExp.prototype, toStringTag = Symbol.toStringTag;
const boxKind = (value, proto) => {
  let found = "";
  mapEach(unboxed, (kind, name) => { if (kind[0] === proto) found = name; });
  return found;
};

// `me` is the letter of this side; `pretend` makes what stands for an object of the other side; `pass` may refuse one
// of this side's, or name what the other side has too.
const wire = (me, input, output, pretend, pass) => {
  let number = me === "j" ? 0 : 1, held = 0, queue = [], seen = null;
  const other = me === "j" ? "p" : "j", numbers = new Map(), objects = new Map(), texts = new Map();
  const mine = new Map(), mineOf = new Map(), theirs = new Map(), theirOf = new Map();
  const symbols = new Map(), symbolOf = new Map();

  const symbol = (value) => {
    const name = mapGet(known, value), key = keyFor(value);
    if (name !== undefined) return `["y","k",${stringify(name)}]`;
    if (key !== undefined) return `["y","f",${stringify(key)}]`;
    if (mapGet(symbolOf, value) === undefined) {
      const label = me + (number += 2);
      mapSet(symbols, label, value);
      mapSet(symbolOf, value, label);
    }
    return `["y",${stringify(mapGet(symbolOf, value))},${stringify(StringOf(described(value) ?? ""))}]`;
  };
  const handle = (value) => {
    let entry = mapGet(theirOf, value);
    if (entry === undefined) {
      entry = mapGet(mineOf, value);
      if (entry === undefined) {
        const shared = pass(value);
        if (shared !== "") return `["g",${stringify(shared)}]`;
        const kind = typeof value === "function" ? "function" : isArray(value) ? "array" : "object";
        const id = (number += 2);
        entry = `["h","${me}",${id},"${kind}",${stringify(nameOf(value))}]`;
        mapSet(mine, id, value);
        mapSet(mineOf, value, entry);
      }
    }
    return entry;
  };
  const val = (value) => {
    switch (typeof value) {
      case "undefined": return '["u"]';
      case "boolean": return value ? "true" : "false";
      case "string": return stringify(value);
      case "number":
        if (value !== value) return '["n","NaN"]';
        if (value === 0) return 1 / value < 0 ? '["n","-0"]' : "0";
        return value === Infinity || value === -Infinity ? `["n","${value}"]` : `${value}`;
      case "bigint": return value < 0n ? `["b","-","${hex(-value, 16)}"]` : `["b","","${hex(value, 16)}"]`;
      case "symbol": return symbol(value);
      case "function": return handle(value);
    }
    if (value === null) return "null";
    if (mapGet(theirOf, value) !== undefined) return handle(value);
    if (setHas(seen, value)) return `["d",${mapGet(numbers, value)}]`;
    if (kindOf(value) === "") return handle(value);
    let id = mapGet(numbers, value);
    if (id === undefined) {
      id = (number += 2);
      mapSet(numbers, value, id);
      mapSet(objects, id, value);
    }
    setAdd(seen, value);
    queue[queue.length] = value;
    return `["d",${id}]`;
  };
  const properties = (value, keys, wanted) => {
    let found = "";
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i], about = getOwnPropertyDescriptor(value, key);
      if (about === undefined || !about.enumerable || !wanted(key)) continue;
      const name = typeof key === "symbol" ? symbol(key) : stringify(key);
      found += (found ? "," : "") + name + "," + val(reflectGet(value, key));
      if (found.length > LIMIT) tooLarge();
    }
    return `[${found}]`;
  };
  const array = (value, ext) => {
    const { length } = value;
    let dense = "";
    for (let i = 0; i < length; i++) {
      const item = value[i];
      if (item === undefined && !hasOwn(value, i)) { // a hole
        return `["S",${ext},${length},${properties(value, ownKeys(value), isIndex)},` +
          `${properties(value, ownKeys(value), isNoIndex)}]`;
      }
      dense += (i ? "," : "") + val(item);
      if (dense.length > LIMIT) tooLarge();
    }
    // No array of this size has names too, and listing its keys would take longer than all the rest.
    const keys = length > 65536 ? [] : ownKeys(value);
    return `["A",${ext},[${dense}],${keys.length === length + 1 ? "[]" : properties(value, keys, isNoIndex)}]`;
  };
  const content = (value) => {
    const ext = isProxy(value) || isExtensible(value) ? 0 : isFrozen(value) ? 3 : isSealed(value) ? 2 : 1;
    let list = "";
    const add = (item) => { list += (list ? "," : "") + val(item); if (list.length > LIMIT) tooLarge(); };
    const proto = getPrototypeOf(value);
    switch (kindOf(value)) {
      case "A": return array(value, ext);
      case "O": return `["O",${ext},${proto === null ? 1 : 0},${properties(value, ownKeys(value), any)}]`;
      case "M": mapEach(value, (item, key) => { add(key); add(item); }); return `["M",${ext},[${list}]]`;
      case "T": setEach(value, add); return `["T",${ext},[${list}]]`;
      case "D": return `["D",${ext},${val(dateGet(value))}]`;
      case "R": return `["R",${ext},${stringify(source(value))},"${flags(value)}",${val(value.lastIndex)}]`;
      case "X": {
        const name = boxKind(value, proto);
        return `["X",${ext},${val(mapGet(unboxed, name)[1](value))}]`;
      }
      case "V": {
        const all = isArrayBuffer(value), bytes = all ? value : bytesOf(value);
        const part = bufferFrom(bytes, all ? 0 : offset(value), all ? whole(value) : size(value));
        return `["V",${ext},"${mapGet(views, proto)}","${bufferText(part, "base64")}"]`;
      }
      case "E": {
        const kind = errorKind(value), { name, message } = value;
        if (hasOwn(value, "cause")) list += `"cause",${val(value.cause)}`;
        if (hasOwn(value, "errors")) list += `${list ? "," : ""}"errors",${val(value.errors)}`;
        return `["E",${ext},"${kind}",${typeof name === "string" ? stringify(name) : '""'},` +
          `${typeof message === "string" ? stringify(message) : '""'},` +
          `${properties(value, ownKeys(value), isNoErrorPart)},[${list}]]`;
      }
    }
    throw new TypeErrorOf("an object changed while it was read");
  };
  // The lines of the objects that wait in the queue and of all that they lead to, as far as the other side lacks them.
  const lines = (from) => {
    const changed = [];
    let text = "", grown = 0;
    for (let i = from; i < queue.length; i++) {
      const id = mapGet(numbers, queue[i]), now = content(queue[i]), before = mapGet(texts, id);
      if (now === before) continue;
      grown += now.length - (before === undefined ? 0 : before.length);
      changed[changed.length] = id;
      changed[changed.length] = now;
      text += `\n${id} ${now}`;
      if (text.length > LIMIT) tooLarge();
    }
    for (let i = 0; i < changed.length; i += 2) mapSet(texts, changed[i], changed[i + 1]); // nothing has thrown
    held += grown;
    return text;
  };
  // An object that could not be read: the other side has never heard of it, or hears no more.
  const drop = (from) => {
    for (let i = from; i < queue.length; i++)
      if (from > 0 || mapGet(texts, mapGet(numbers, queue[i])) === undefined) {
        mapDelete(objects, mapGet(numbers, queue[i]));
        mapDelete(numbers, queue[i]);
      }
  };
  // The text of one message; `roots` are sent for their content alone.
  const encode = (op, values, roots) => {
    queue = [];
    seen = new SetOf();
    let text = `["${op}"`;
    try {
      for (let i = 0; i < values.length; i++) text += "," + val(values[i]);
      for (let i = 0; i < roots.length; i++) if (typeof roots[i] === "object") val(roots[i]);
      text += "]" + lines(0);
    } catch (problem) {
      drop(0);
      throw problem;
    }
    if (held <= IN_STEP)
      mapEach(objects, (value) => {
        if (setHas(seen, value)) return;
        const from = queue.length;
        try {
          val(value);
          text += lines(from);
        } catch {
          drop(from);
        }
      });
    queue = [];
    seen = null;
    return text;
  };

  const resolve = (part) => {
    if (part === null || typeof part !== "object") return part;
    if (!isArray(part) || part.length === 0) rubbish();
    const label = part[1];
    switch (part[0]) {
      case "u": return undefined;
      case "n": return label === "NaN" ? NaN : label === "-0" ? -0 : label === "-Infinity" ? -Infinity : Infinity;
      case "b": return label === "-" ? -BigIntOf(`0x${part[2]}`) : BigIntOf(`0x${part[2]}`);
      case "y": {
        if (label === "k") return mapGet(known, part[2]) ?? rubbish();
        if (label === "f") return symbolFor(`${part[2]}`);
        if (typeof label !== "string") rubbish();
        let found = mapGet(symbols, label);
        if (found === undefined) {
          if (startsWith(label, me) || typeof part[2] !== "string") rubbish();
          found = SymbolOf(part[2]);
          mapSet(symbols, label, found);
          mapSet(symbolOf, found, label);
        }
        return found;
      }
      case "d": return mapGet(objects, label) ?? rubbish();
      case "g": return pretend.shared(part[1]);
      case "h": {
        const id = part[2];
        if (label === me) return mapGet(mine, id) ?? rubbish();
        let found = mapGet(theirs, id);
        if (found === undefined) {
          const kind = part[3], name = part[4];
          if (label !== other || !isSafeInteger(id) || typeof name !== "string") rubbish();
          if (kind !== "function" && kind !== "array" && kind !== "object") rubbish();
          found = pretend.object(kind, slice(name, 0, 60));
          mapSet(theirs, id, found);
          mapSet(theirOf, found, `["h","${other}",${id},"${kind}",${stringify(name)}]`);
        }
        return found;
      }
    }
    return rubbish();
  };
  const shell = (body) => {
    switch (body[0]) {
      case "A": case "S": return [];
      case "O": return body[2] === 1 ? { __proto__: null } : {};
      case "M": return new MapOf();
      case "T": return new SetOf();
      case "D": return new DateOf(NaN);
      case "R": return new RegExpOf(body[2], body[3]);
      case "X": {
        const inner = resolve(body[2]);
        return inner === null || typeof inner === "object" || typeof inner === "function" ? rubbish() : ObjectOf(inner);
      }
      case "V": return view(body[2], bufferFrom(`${body[3]}`, "base64"));
      case "E": return pretend.error(body[2], body[4]);
    }
    return rubbish();
  };
  const define = (target, pairs, enumerable) => {
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const key = typeof pairs[i] === "string" ? pairs[i] : resolve(pairs[i]);
      if (typeof key !== "string" && typeof key !== "symbol") rubbish();
      const value = pretend.property(target, key, resolve(pairs[i + 1]));
      defineProperty(target, key, { __proto__: null, value, enumerable, writable: true, configurable: true });
    }
  };
  const clear = (target) => {
    const keys = ownKeys(target);
    for (let i = 0; i < keys.length; i++)
      if (getOwnPropertyDescriptor(target, keys[i]).enumerable) deleteProperty(target, keys[i]);
  };
  const fill = (target, body, old) => {
    if (old && kindOf(target) !== (body[0] === "S" ? "A" : body[0])) rubbish();
    if (!isFrozen(target) || body[0] === "M" || body[0] === "T" || body[0] === "D")
      switch (body[0]) {
        case "A": {
          const items = body[2];
          if (old) clear(target);
          for (let i = 0; i < items.length; i++) target[i] = resolve(items[i]);
          target.length = items.length;
          define(target, body[3], true);
          break;
        }
        case "S":
          if (old) clear(target);
          target.length = body[2];
          define(target, body[3], true);
          define(target, body[4], true);
          break;
        case "O": if (old) clear(target); define(target, body[3], true); break;
        case "M":
          mapClear(target);
          for (let i = 0; i + 1 < body[2].length; i += 2) mapSet(target, resolve(body[2][i]), resolve(body[2][i + 1]));
          break;
        case "T":
          setClear(target);
          for (let i = 0; i < body[2].length; i++) setAdd(target, resolve(body[2][i]));
          break;
        case "D": dateSet(target, resolve(body[2])); break;
        case "R": target.lastIndex = resolve(body[4]); break;
        case "V": if (old) refill(target, bufferFrom(`${body[3]}`, "base64")); break;
        case "E":
          if (old) break;
          if (body[3] !== target.name) define(target, ["name", body[3]], false);
          define(target, body[5], true);
          define(target, body[6], false);
      }
    if (body[1] === 3) freeze(target);
    else if (body[1] === 2) seal(target);
    else if (body[1] === 1) preventExtensions(target);
  };
  // The operation of a message, with its values; what it says of objects is done first.
  const decode = (data) => {
    const ids = [], bodies = [], olds = [];
    let at = indexOf(data, "\n"), op = at < 0 ? data : slice(data, 0, at);
    while (at >= 0) {
      const end = indexOf(data, "\n", at + 1), line = end < 0 ? slice(data, at + 1) : slice(data, at + 1, end);
      const space = indexOf(line, " "), id = +slice(line, 0, space), raw = slice(line, space + 1), body = parse(raw);
      const old = mapGet(objects, id), before = mapGet(texts, id);
      if (!isSafeInteger(id) || !isArray(body)) rubbish();
      if (old === undefined) {
        if (id % 2 === (me === "j" ? 0 : 1)) rubbish();
        const fresh = shell(body);
        mapSet(objects, id, fresh);
        mapSet(numbers, fresh, id);
      }
      held += raw.length - (before === undefined ? 0 : before.length);
      mapSet(texts, id, raw);
      ids[ids.length] = id;
      bodies[bodies.length] = body;
      olds[olds.length] = old !== undefined;
      at = end;
    }
    for (let i = 0; i < ids.length; i++) fill(mapGet(objects, ids[i]), bodies[i], olds[i]);
    op = parse(op);
    if (!isArray(op) || typeof op[0] !== "string") rubbish();
    const found = [op[0]];
    for (let i = 1; i < op.length; i++) found[i] = resolve(op[i]);
    return found;
  };

  const send = (message) => {
    const body = bufferFrom(message, "utf8"), frame = bufferAlloc(4 + body.length);
    if (body.length > LIMIT) tooLarge();
    for (let i = 0; i < 4; i++) frame[i] = (body.length >>> (8 * i)) & 255;
    fill8(frame, body, 4);
    for (let at = 0; at < frame.length;)
      at += patiently(() => writeSync(output, frame, at, frame.length - at));
  };
  const exactly = (count) => {
    const data = bufferAlloc(count);
    for (let at = 0; at < count;) {
      const got = patiently(() => readSync(input, data, at, count - at, null));
      if (got === 0) return null;
      at += got;
    }
    return data;
  };
  // One message; null when the other side is gone.
  const receive = () => {
    const head = exactly(4);
    if (head === null) return null;
    const length = head[0] + head[1] * 256 + head[2] * 65536 + head[3] * 16777216;
    if (length > LIMIT) rubbish();
    const body = exactly(length);
    return body === null ? null : decode(bufferText(body, "utf8"));
  };
  const forget = () => {
    mapClear(numbers);
    mapClear(objects);
    mapClear(texts);
    held = 0;
  };
  return { encode, send, receive, forget, full: () => held > HELD, };
};
const TypeErrorOf = TypeError, RangeErrorOf = RangeError;
const tooLarge = () => { throw new RangeErrorOf("a value is too large to be handed over"); };
const any = () => true;
const isIndex = (key) => typeof key === "string" && `${key >>> 0}` === key && key >>> 0 !== 4294967295;
const isNoIndex = (key) => !isIndex(key) && key !== "length";
const isNoErrorPart = (key) => key !== "message" && key !== "name" && key !== "stack";
const nameOf = (value) => {
  try {
    const proto = getPrototypeOf(value), { name } = typeof value === "function" ? value : proto.constructor;
    return typeof name === "string" ? slice(name, 0, 60) : "";
  } catch {
    return "";
  }
};
const view = (name, bytes) => {
  const kind = mapGet(viewKinds, name) ?? rubbish();
  if (kind === BufferOf) return bytes;
  const own = cut(bytesOf(bytes), offset(bytes), offset(bytes) + size(bytes));
  return name === "ArrayBuffer" ? own : new kind(own);
};
const refill = (target, bytes) => {
  const all = isArrayBuffer(target), of = all ? target : bytesOf(target);
  const room = all ? bufferFrom(of) : bufferFrom(of, offset(target), size(target));
  if (size(room) !== size(bytes)) rubbish();
  fill8(room, bytes, 0);
};
const patiently = (act) => {
  for (;;)
    try {
      return act();
    } catch (problem) {
      if (problem.code === "EOF") return 0;
      if (problem.code !== "EAGAIN") throw problem;
      wait(bell, 0, 0, 1);
    }
};
"""
