/** Upper bounds of the histograms' buckets. */

/** Seconds, for what a person or a fetcher waits for: fetchers give up at 10 s, upstreams get 60 s. */
export const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Bytes: 256 to 64 MiB, each eight times or four times the one before. */
export const BYTES = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 8_388_608, 67_108_864];
