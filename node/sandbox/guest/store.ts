// A value that follows a request through its asynchronous work. The engine's own variable costs nothing to have; node:async_hooks, which is
// built on it, takes milliseconds to load, and stands in should an engine not show its own.

export interface Store<T> {
  get(): T | undefined;
  run<R>(value: T, work: () => R): R;
}

interface Core {
  AsyncVariable?: new () => { enter(value: unknown): unknown; get(): unknown };
  setAsyncContext?(context: unknown): void;
}

export async function makeStore<T>(host: typeof Deno): Promise<Store<T>> {
  const shown = host as unknown as { internal: PropertyKey } & Record<PropertyKey, { core?: Core } | undefined>;
  const { AsyncVariable, setAsyncContext } = shown[shown.internal]?.core ?? {};
  if (AsyncVariable === undefined || setAsyncContext === undefined) {
    const { AsyncLocalStorage } = await import("node:async_hooks");
    const storage = new AsyncLocalStorage<T>();
    return { get: () => storage.getStore(), run: (value, work) => storage.run(value, work) };
  }
  const variable = new AsyncVariable();
  return {
    get: () => variable.get() as T | undefined,
    run(value, work) {
      const before = variable.enter(value);
      try {
        return work();
      } finally {
        setAsyncContext(before);
      }
    },
  };
}
