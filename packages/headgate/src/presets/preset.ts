/** A preset: settings for an application, as data that a person could have written too. */
import type { UpstreamSettings, WrittenSite } from '../config/site-schema.ts';

/** What a preset is. */
export interface Preset {
  /** What stands in a site's place where its file says nothing. */
  readonly site: Omit<WrittenSite, 'upstream'>;
  /** How its upstream is asked, wherever that is. */
  readonly upstream?: Partial<Omit<UpstreamSettings, 'to'>>;
  /** Routes to the application's streaming server, if it has one of its own. */
  readonly streamingPath?: string;
  /** The paths of its media, which a CDN takes over. */
  readonly cdnPaths: readonly string[];
  /** The file that `headgate init` writes. */
  readonly example: string;
}
