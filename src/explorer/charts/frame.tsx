// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Failure, TextButton } from '../../run/components';
import type { ExplorerModel } from '../model';
import type { ITheme } from '../theme';
import { fileName, saveFile, toPng, toSvg, type IPicture } from './export';
import { useWidth } from './hooks';
import { CanvasPainter, type IPoint, type Scene } from './painter';

/** What every chart works with. */
export interface IChartProps {
  model: ExplorerModel;
  theme: ITheme;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
  /** Open a run. */
  onOpen: (run: string) => void;
  /** Take the chart away. */
  onClose: () => void;
}

/**
 * What all charts have: a name, controls, the same as a table, files of it, and a way to close it.
 */
export function ChartFrame(props: {
  title: string;
  theme: ITheme;
  trans: TranslationBundle;
  controls?: React.ReactNode;
  /** The picture as a file; null while there is none. */
  picture: () => IPicture | null;
  /** The same as a table; null where the chart is one. */
  table: (() => React.ReactNode) | null;
  /** A sentence below it. */
  note?: string;
  error: Error | null;
  onRetry: () => void;
  onClose: () => void;
  children: React.ReactNode;
}): JSX.Element {
  const { title, theme, trans, table } = props;
  const [isTable, setTable] = React.useState(false);
  const onPng = (): void => {
    const picture = props.picture();
    if (picture) {
      void toPng(picture, theme).then(file => {
        if (file) {
          saveFile(file, fileName(title, 'png'));
        }
      });
    }
  };
  const onSvg = (): void => {
    const picture = props.picture();
    if (picture) {
      saveFile(toSvg(picture, theme, title), fileName(title, 'svg'));
    }
  };
  return (
    <figure className="jp-DotscienceChart jp-DotsciencePlot" aria-label={title}>
      <figcaption>
        <span className="jp-DotscienceChart-name">{title}</span>
        <span
          className="jp-DotscienceChart-tools"
          role="group"
          aria-label={trans.__('What to do with %1', title)}
        >
          {table && (
            <TextButton
              pressed={isTable}
              title={trans.__('Show the numbers as a table')}
              onClick={() => setTable(!isTable)}
            >
              {trans.__('Table')}
            </TextButton>
          )}
          <TextButton
            title={trans.__('Save the chart as a PNG file')}
            onClick={onPng}
          >
            {trans.__('PNG')}
          </TextButton>
          <TextButton
            title={trans.__('Save the chart as an SVG file')}
            onClick={onSvg}
          >
            {trans.__('SVG')}
          </TextButton>
          <button
            type="button"
            className="jp-DotscienceButton"
            title={trans.__('Close the chart')}
            aria-label={trans.__('Close %1', title)}
            onClick={props.onClose}
          >
            <span aria-hidden="true">✕</span>
          </button>
        </span>
      </figcaption>
      {props.controls && (
        <div className="jp-DotsciencePlot-controls">{props.controls}</div>
      )}
      {props.error ? (
        <Failure
          message={trans.__('The chart could not be read.')}
          details={props.error.message}
          trans={trans}
          onRetry={props.onRetry}
        />
      ) : isTable && table ? (
        <div className="jp-DotscienceChart-table">{table()}</div>
      ) : (
        props.children
      )}
      {props.note && <p className="jp-DotscienceChart-note">{props.note}</p>}
    </figure>
  );
}

/** What happens on a canvas; places are in px from its left upper corner. */
export interface ICanvasEvents {
  onMove?: (at: IPoint, event: React.PointerEvent) => void;
  onDown?: (at: IPoint, event: React.PointerEvent) => void;
  onUp?: (at: IPoint, event: React.PointerEvent) => void;
  onLeave?: () => void;
  onDoubleClick?: (at: IPoint) => void;
}

/**
 * A picture as wide as there is room.
 */
export function CanvasChart(
  props: {
    height: number;
    label: string;
    theme: ITheme;
    cursor?: string;
    /** What is drawn, given the width. */
    scene: (width: number) => Scene | null;
    children?: React.ReactNode;
  } & ICanvasEvents
): JSX.Element {
  const { height, label, theme, scene } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const canvas = React.useRef<HTMLCanvasElement>(null);
  const width = useWidth(host);

  React.useEffect(() => {
    const node = canvas.current;
    const drawing = width > 0 ? scene(width) : null;
    const gc = node && drawing ? node.getContext('2d') : null;
    if (!node || !gc || !drawing) {
      return;
    }
    const ratio = window.devicePixelRatio || 1;
    node.width = Math.round(width * ratio);
    node.height = Math.round(height * ratio);
    gc.scale(ratio, ratio);
    drawing(new CanvasPainter(gc, theme.family));
  }, [scene, width, height, theme]);

  const at = (event: React.MouseEvent): IPoint => {
    const box = event.currentTarget.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  return (
    <div ref={host} className="jp-DotsciencePlot-host" style={{ height }}>
      <canvas
        ref={canvas}
        className="jp-DotsciencePlot-canvas"
        role="img"
        aria-label={label}
        style={{ width: width || '100%', height, cursor: props.cursor }}
        onPointerMove={event => props.onMove?.(at(event), event)}
        onPointerDown={event => {
          if (event.button === 0) {
            // The mouse may leave the canvas while a brush is drawn.
            event.currentTarget.setPointerCapture?.(event.pointerId);
            props.onDown?.(at(event), event);
          }
        }}
        onPointerUp={event => props.onUp?.(at(event), event)}
        onPointerLeave={() => props.onLeave?.()}
        onDoubleClick={event => props.onDoubleClick?.(at(event))}
      />
      {props.children}
    </div>
  );
}

/**
 * A choice among columns.
 */
export function ColumnChoice(props: {
  label: string;
  value: string;
  options: readonly { key: string; title: string; group: string }[];
  /** What stands for none; without it there must be one. */
  none?: string;
  onChange: (key: string) => void;
}): JSX.Element {
  const { options, value } = props;
  const groups = [...new Set(options.map(each => each.group))];
  const isKnown = value === '' || options.some(each => each.key === value);
  return (
    <label className="jp-DotsciencePlot-choice">
      <span>{props.label}</span>
      <select
        aria-label={props.label}
        value={value}
        onChange={event => props.onChange(event.target.value)}
      >
        {(props.none !== undefined || value === '') && (
          <option value="">{props.none ?? ''}</option>
        )}
        {!isKnown && <option value={value}>{value}</option>}
        {groups.map(group => (
          <optgroup key={group} label={group}>
            {options
              .filter(each => each.group === group)
              .map(({ key, title }) => (
                <option key={key} value={key}>
                  {title}
                </option>
              ))}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

/** What is said beside a point. */
export function Tip(props: {
  at: IPoint;
  width: number;
  children: React.ReactNode;
}): JSX.Element {
  const { at, width } = props;
  const isRight = at[0] > width / 2;
  return (
    <div
      className="jp-DotsciencePlot-tip"
      style={{
        top: Math.max(0, at[1] - 12),
        ...(isRight ? { right: width - at[0] + 14 } : { left: at[0] + 14 })
      }}
    >
      {props.children}
    </div>
  );
}
