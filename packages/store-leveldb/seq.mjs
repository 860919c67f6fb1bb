import { ClassicLevel } from "classic-level";
const db = new ClassicLevel(process.argv[2] + "/data/leveldb", {
  keyEncoding: "buffer",
  valueEncoding: "buffer",
});
const v = await db.get(Buffer.of(0x50));
console.log("commits", v.readUIntBE(0, 6));
let n = 0,
  b = 0;
for await (const [k, val] of db.iterator()) {
  n++;
  b += val.length;
}
console.log("keys", n, "bytes", b);
await db.close();
