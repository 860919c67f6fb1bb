// Names of reason codes, and what 3.1.1 clients get to see of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectReturnCode, encodePacket, ReasonCode, reasonCodeName } from "@heirloom/codec";

test("names every reason code of table 2-6, and gives others in hex", () => {
  assert.equal(reasonCodeName(0x00), "SUCCESS");
  assert.equal(reasonCodeName(0x8e), "SESSION_TAKEN_OVER");
  assert.equal(reasonCodeName(0xa2), "WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED");
  assert.equal(reasonCodeName(0xc8), "0xC8");
  assert.equal(new Set(Object.values(ReasonCode)).size, 43);
});

test("maps every CONNACK code to a return code that 3.1.1 can write - 3.1.1 [MQTT-3.2.2-6]", () => {
  for (let reasonCode = 0; reasonCode < 256; reasonCode++) {
    const mapped = connectReturnCode(reasonCode);
    assert.equal(mapped === 0, reasonCode === 0);
    encodePacket({ type: 2, sessionPresent: false, reasonCode: mapped, properties: {} }, 4);
  }
  assert.equal(connectReturnCode(ReasonCode.UNSUPPORTED_PROTOCOL_VERSION), 1);
  assert.equal(connectReturnCode(ReasonCode.CLIENT_IDENTIFIER_NOT_VALID), 2);
  assert.equal(connectReturnCode(ReasonCode.SERVER_BUSY), 3);
  assert.equal(connectReturnCode(ReasonCode.BAD_USER_NAME_OR_PASSWORD), 4);
  assert.equal(connectReturnCode(ReasonCode.NOT_AUTHORIZED), 5);
});
