/** A reply of Redis over REST that has names and values in turn, as pairs. */
export function pairsOf<Value>(flat: readonly Value[]): [name: Value, value: Value | undefined][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : []));
}
