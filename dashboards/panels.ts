/** Panels of the kinds that the dashboard is made of. */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueGraphMode,
  StackingConfigBuilder,
  StackingMode,
} from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries';

/** Where the figures come from: the variable at the dashboard's top. */
export const SOURCE = { type: 'prometheus', uid: '$datasource' };

/** Columns of Grafana's grid, and rows that a panel has. */
const WIDTH = 24;
const TALL = 8;
const FLAT = 4;

/** What a panel shows: expressions by the legend of their series. */
export type Series = Readonly<Record<string, string>>;

/** What a panel is. */
export interface Panel {
  readonly title: string;
  /** Says what to see in it. */
  readonly description: string;
  /** Of Grafana, such as `reqps`, `s`, `bytes`. */
  readonly unit: string;
  readonly series: Series;
  /** How many stand in a line. Default 2. */
  readonly among?: number;
}

/** Lines over time. */
export function lines({ title, description, unit, series, among = 2 }: Panel): TimeSeries {
  return new TimeSeries()
    .title(title)
    .description(description)
    .unit(unit)
    .min(0)
    .datasource(SOURCE)
    .targets(queries(series))
    .span(WIDTH / among)
    .height(TALL)
    .fillOpacity(8);
}

/** Areas over time, one on top of the other: their height is the sum. */
export function areas(panel: Panel): TimeSeries {
  return lines(panel)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    .fillOpacity(40);
}

/** One figure for the time that is looked at. */
export function figure({ title, description, unit, series, among = 4 }: Panel): Stat {
  return new Stat()
    .title(title)
    .description(description)
    .unit(unit)
    .datasource(SOURCE)
    .targets(queries(series, true))
    .graphMode(BigValueGraphMode.None)
    .span(WIDTH / among)
    .height(FLAT);
}

/** States over time, a line for each series that is 1. */
export function states({ title, description, unit, series, among = 2 }: Panel): StateTimeline {
  return new StateTimeline()
    .title(title)
    .description(description)
    .unit(unit)
    .datasource(SOURCE)
    .targets(queries(series))
    .span(WIDTH / among)
    .height(TALL);
}

function queries(series: Series, isInstant = false): Builder<Dataquery>[] {
  return Object.entries(series).map(([legend, expression], index) => {
    const query = new DataqueryBuilder()
      .refId(String.fromCharCode(65 + index))
      .datasource(SOURCE)
      .expr(expression)
      .legendFormat(legend);
    return isInstant ? query.instant() : query.range();
  });
}
