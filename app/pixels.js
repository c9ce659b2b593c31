// Takes image values out of a message and keeps them where the viewers of this page find them. Draws nothing.
// A message: length of its header (uint32, little-endian), the header (JSON), then the values; see app/pixels.py.

const MOST_BYTES = 600e6;

function sharedStore() {
  return (window.mcPixels ??= { images: new Map(), arrived: new Set() });
}

function unpack(bytes, store) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const head = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  const facts = JSON.parse(head);
  const known = store.images.get(facts.key);
  if (known?.head === head) return facts; // sent ahead, and here already
  const rest = bytes.subarray(4 + length);
  if (facts.kind === "many") {
    for (let at = 0, left = facts.count; left > 0; left--) {
      const size = new DataView(rest.buffer, rest.byteOffset + at, 8).getUint32(0, true);
      unpack(rest.subarray(at + 8, at + 8 + size), store);
      at += 8 + size;
    }
    return facts;
  }
  const count = facts.width * facts.height;
  // The copy is aligned, and outlives the message.
  const values = facts.kind === "map" ? rest.slice(0, count) : new Uint16Array(rest.slice(0, 2 * count).buffer);
  store.images.delete(facts.key); // the last to arrive stands last
  store.images.set(facts.key, { ...facts, head, values, bytes: values.byteLength });
  return facts;
}

function forgetOldest(store) {
  let held = 0;
  for (const image of store.images.values()) held += image.bytes;
  for (const [key, image] of store.images) {
    if (held <= MOST_BYTES) return;
    store.images.delete(key);
    held -= image.bytes;
  }
}

export default function (component) {
  const { data, parentElement } = component;
  if (!(data instanceof Uint8Array) || parentElement.mcSeen === data) return;
  parentElement.mcSeen = data;
  const store = sharedStore();
  const facts = unpack(data, store);
  forgetOldest(store);
  for (const hear of [...store.arrived]) hear(facts);
}
