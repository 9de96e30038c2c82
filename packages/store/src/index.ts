export { type MemoryStore, type MemoryStoreOptions, memoryStore } from './memory.ts';
export { namespaced } from './namespaced.ts';
