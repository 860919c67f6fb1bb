// Statements that no case can show from outside, each with the reason.

export interface Unobservable {
  readonly id: string;
  readonly reason: string;
}

export const unobservable: readonly Unobservable[] = [
  {
    id: "3.1.1 [MQTT-7.0.0-1]",
    reason: "it binds the broker as a client of other brokers, which a client does not see",
  },
];
