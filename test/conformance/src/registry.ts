// All cases, in the order of the standard's sections.
import type { Case } from "./case.ts";
import { connectCases } from "./cases/connect.ts";
import { connackCases, refusalCases } from "./cases/refusal.ts";
import { keepAliveCases } from "./cases/keep-alive.ts";
import { sessionCases } from "./cases/session.ts";

import { willCases } from "./cases/will.ts";

import { qosInCases } from "./cases/qos-in.ts";
import { qosOutCases } from "./cases/qos-out.ts";
import { aliasCases } from "./cases/alias.ts";
import { flowCases } from "./cases/flow.ts";
import { shortFormCases } from "./cases/short-forms.ts";
import { retainedCases } from "./cases/retained.ts";
import { subscribeCases, unsubscribeCases } from "./cases/subscribe.ts";
import { topicCases } from "./cases/topics.ts";
import { sharedCases } from "./cases/shared.ts";
import { propertyCases, propertyErrorCases } from "./cases/properties.ts";
import { disconnectCases, encodingCases } from "./cases/encoding.ts";
import { authCases } from "./cases/auth.ts";
import { webSocketCases } from "./cases/websocket.ts";
import { limitCases } from "./cases/limits.ts";
import { restartCases } from "./cases/restart.ts";
import { combinationCases } from "./cases/combinations.ts";
export const allCases: readonly Case[] = [
  ...connectCases,
  ...connackCases,
  ...refusalCases,
  ...keepAliveCases,
  ...sessionCases,
  ...willCases,
  ...qosInCases,
  ...qosOutCases,
  ...flowCases,
  ...aliasCases,
  ...shortFormCases,
  ...retainedCases,
  ...subscribeCases,
  ...unsubscribeCases,
  ...topicCases,
  ...sharedCases,
  ...propertyCases,
  ...propertyErrorCases,
  ...encodingCases,
  ...disconnectCases,
  ...authCases,
  ...webSocketCases,
  ...combinationCases,
  ...limitCases,
  ...restartCases,
];
