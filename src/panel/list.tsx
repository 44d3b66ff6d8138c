// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunSummary } from '../api/schema';
import type { IColumn } from './model';
import { RunRow } from './row';
import type { IRunsChange, RunsModel } from './runs';
import { rowAfterKey, scrollToShow, visibleWindow } from './window';

/** The height that is assumed until the real one can be measured, in px. */
const ASSUMED_HEIGHT = 600;

/**
 * What the list works with.
 */
export interface IRunListProps {
  /** The runs. */
  runs: RunsModel;

  /** Ids of the runs chosen for a comparison. */
  selected: readonly string[];

  /** Ids of the runs that have just arrived. */
  fresh: ReadonlySet<string>;

  /** The values to show for each run. */
  columns: readonly IColumn[];

  /** Whether each run shows metrics of its own beside them. */
  showsOwnMetrics: boolean;

  /** The present moment, ms since the epoch. */
  now: number;

  /** The language of the interface. */
  language: string;

  /** The translation bundle. */
  trans: TranslationBundle;

  /** Open a run. */
  onOpen: (run: RunSummary) => void;

  /** Choose a run for a comparison, or no longer. */
  onToggle: (run: RunSummary) => void;

  /** Choose exactly these runs for a comparison. */
  onSelect: (ids: readonly string[]) => void;

  /** Show what can be done with a run, at a place on the page. */
  onMenu: (run: RunSummary, x: number, y: number) => void;
}

/**
 * The runs, of which only those that are visible are in the page.
 *
 * #### Notes
 * It is a list box with one tab stop: the arrows move, Enter opens, Space chooses for a
 * comparison. All rows have the same height, so any place of a long list is reached at once.
 */
export function RunList(props: IRunListProps): React.ReactElement {
  const { runs, trans } = props;
  const base = React.useId();
  const ref = React.useRef<HTMLDivElement>(null);
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const [scrollTop, setScrollTop] = React.useState(0);
  const [size, setSize] = React.useState({ height: 0, row: 64 });
  const [active, setActive] = React.useState(-1);
  const moved = React.useRef({ reset: false, shift: 0 });
  const scrolled = React.useRef(0);

  scrolled.current = scrollTop;
  const total = runs.total;
  const height = size.height || ASSUMED_HEIGHT;
  const { first, end } = visibleWindow(scrollTop, height, size.row, total);

  // What moved while the page was not drawn yet is applied together with the new rows.
  React.useEffect(() => {
    const owner = {};
    const onChanged = (_: RunsModel, change: IRunsChange) => {
      if (change.reset) {
        moved.current = { reset: true, shift: 0 };
      } else {
        moved.current.shift += change.shift;
      }
      draw();
    };
    runs.changed.connect(onChanged, owner);
    return () => {
      runs.changed.disconnect(onChanged, owner);
    };
  }, [runs]);

  React.useLayoutEffect(() => {
    const node = ref.current;
    const { reset, shift } = moved.current;
    moved.current = { reset: false, shift: 0 };
    if (!node) {
      return;
    }
    if (reset) {
      node.scrollTop = 0;
      setScrollTop(0);
      setActive(-1);
    } else if (shift !== 0) {
      if (node.scrollTop > 0) {
        node.scrollTop += shift * size.row;
        setScrollTop(node.scrollTop);
      }
      setActive(index => (index < 0 ? index : index + shift));
    }
  });

  React.useEffect(() => {
    runs.ensure(first, end);
  }, [runs, first, end, total, runs.isReady]);

  React.useLayoutEffect(() => {
    const node = ref.current;
    if (!node) {
      return;
    }
    const measure = () => {
      const next = { height: node.clientHeight, row: rowHeight(node) };
      if (next.height > 0 && node.scrollTop !== scrolled.current) {
        // A hidden element may have forgotten how far it was scrolled.
        node.scrollTop = scrolled.current;
      }
      setSize(old =>
        old.height === next.height && old.row === next.row ? old : next
      );
    };
    measure();
    if (typeof ResizeObserver === 'undefined') {
      return;
    }
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    return () => observer.disconnect();
  }, []);

  const show = (index: number) => {
    const node = ref.current;
    setActive(index);
    if (node) {
      const top = scrollToShow(index, node.scrollTop, height, size.row);
      node.scrollTop = top;
      setScrollTop(top);
    }
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    const run = runs.get(active);
    const page = Math.floor(height / size.row);
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    const to = modified ? null : rowAfterKey(event.key, active, page, total);
    if (to !== null) {
      // The first arrow goes to what the eye is at, not to the start of the list.
      const visible = Math.ceil(scrollTop / size.row);
      show(active < 0 && event.key.startsWith('Arrow') ? visible : to);
    } else if (event.key === 'Enter' && run) {
      props.onOpen(run);
    } else if (event.key === ' ' && run) {
      props.onToggle(run);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const onClick = (event: React.MouseEvent) => {
    const index = indexAt(event.target);
    const run = runs.get(index);
    if (!run) {
      return;
    }
    const before = runs.get(active);
    setActive(index);
    if (event.shiftKey && before) {
      props.onSelect([before.id, run.id]);
    } else if (event.ctrlKey || event.metaKey || event.shiftKey) {
      props.onToggle(run);
    } else {
      props.onOpen(run);
    }
  };

  const onContextMenu = (event: React.MouseEvent) => {
    const pointed = indexAt(event.target);
    const index = pointed >= 0 ? pointed : active;
    const run = runs.get(index);
    if (!run) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    setActive(index);
    if (pointed >= 0) {
      props.onMenu(run, event.clientX, event.clientY);
      return;
    }
    // Opened by the keyboard: the menu belongs to the row, not to the list's corner.
    const row = document.getElementById(`${base}-${index}`);
    const box = (row ?? event.currentTarget).getBoundingClientRect();
    props.onMenu(run, box.left + 16, box.top + 16);
  };

  const rows: React.ReactElement[] = [];
  for (let index = first; index < end; index++) {
    const run = runs.get(index);
    rows.push(
      <RunRow
        key={run?.id ?? `row-${index}`}
        id={`${base}-${index}`}
        run={run}
        index={index}
        total={total}
        height={size.row}
        isActive={index === active}
        isSelected={run !== undefined && props.selected.includes(run.id)}
        isFresh={run !== undefined && props.fresh.has(run.id)}
        columns={props.columns}
        showsOwnMetrics={props.showsOwnMetrics}
        now={props.now}
        language={props.language}
        trans={trans}
      />
    );
  }

  return (
    <div
      ref={ref}
      className="jp-DotscienceRuns"
      role="listbox"
      tabIndex={0}
      aria-label={trans.__('Runs')}
      aria-multiselectable={true}
      aria-busy={runs.isStale}
      aria-activedescendant={
        active >= first && active < end ? `${base}-${active}` : undefined
      }
      onScroll={event => setScrollTop(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onContextMenu={onContextMenu}
    >
      <div
        className="jp-DotscienceRuns-content"
        role="presentation"
        style={{ height: total * size.row }}
      >
        {rows}
      </div>
    </div>
  );
}

function indexAt(target: EventTarget): number {
  const row = (target as Element).closest<HTMLElement>(
    '.jp-DotscienceRuns-row'
  );
  return row ? Number(row.dataset.index) : -1;
}

/**
 * The height of three lines in the font size of the user's theme.
 */
function rowHeight(node: Element): number {
  const size = getComputedStyle(node).getPropertyValue('--jp-ui-font-size1');
  const px = parseFloat(size) || 13;
  return Math.round(px * 1.5 * 3 + 12);
}
