/** All presets, by name. */
import type { PresetName } from '../config/site-schema.ts';
import { gotosocial } from './gotosocial.ts';
import { mastodon } from './mastodon.ts';
import { plume } from './plume.ts';
import type { Preset } from './preset.ts';
import { site } from './site.ts';

/** What `preset` may name. */
export const PRESETS: Readonly<Record<PresetName, Preset>> = { mastodon, plume, gotosocial, site };
