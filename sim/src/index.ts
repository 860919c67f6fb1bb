// The simulation's public names, for its command and its tests.
export {};
