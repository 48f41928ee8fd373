// The next of 1, 2, 5, 10, 20, 50 … at or above: the scale stays the same while the volume swings a little.
export function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((step) => value <= step * power) ?? 10);
}
