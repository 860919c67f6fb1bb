// What helps to test the broker and the parts that are plugged into it. Not for use in a running broker.

export { MemoryBroker } from "./memory-broker.ts";
export type { MemoryBrokerOptions, SeenEvent } from "./memory-broker.ts";
export { MemoryDisk } from "./memory-disk.ts";
export type { DiskState } from "./memory-disk.ts";
export { MemoryTransport } from "./memory-transport.ts";
export { MemoryWorld } from "./memory-world.ts";
export { packetWords, utf8 } from "./packet-words.ts";
export { storeKit } from "./store-kit.ts";
export type { StoreCase, StoreMaker } from "./store-kit.ts";
export { TestClient } from "./test-client.ts";
export type { ConnectInit, FilterInit, MessageInit, WillInit } from "./test-client.ts";
export { runTranscript } from "./transcript.ts";
