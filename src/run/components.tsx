// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { errorOf } from '../reason';

import type { Scalar } from './format';
import { compareValues } from './format';

/**
 * A part of a tab with a heading, which screen readers list as a region.
 */
export function Section(props: {
  title: string;
  count?: number;
  actions?: React.ReactNode;
  children: React.ReactNode;
}): JSX.Element {
  const id = React.useId();
  return (
    <section
      className="jp-DotscienceSection"
      role="region"
      aria-labelledby={id}
    >
      <div className="jp-DotscienceSection-header">
        <h2 id={id}>
          {props.title}
          {props.count !== undefined && (
            <span className="jp-DotscienceSection-count">{props.count}</span>
          )}
        </h2>
        {props.actions}
      </div>
      {props.children}
    </section>
  );
}

/**
 * A sentence in the place of something that is not there.
 */
export function Empty(props: { children: React.ReactNode }): JSX.Element {
  return <p className="jp-DotscienceEmpty">{props.children}</p>;
}

/**
 * A button that looks like a link.
 */
export function LinkButton(props: {
  title?: string;
  onClick: () => void;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <button
      type="button"
      className="jp-DotscienceLink"
      title={props.title}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  );
}

/**
 * An ordinary button.
 */
export function TextButton(props: {
  title?: string;
  pressed?: boolean;
  disabled?: boolean;
  onClick: () => void;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <button
      type="button"
      className="jp-DotscienceButton"
      title={props.title}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  );
}

/**
 * Something went wrong: what, and a way to try again.
 */
export function Failure(props: {
  message: string;
  details?: string | null;
  trans: TranslationBundle;
  onRetry?: () => void;
}): JSX.Element {
  const { trans } = props;
  return (
    <div className="jp-DotscienceFailure" role="alert">
      <p>{props.message}</p>
      {props.details && <pre>{props.details}</pre>}
      {props.onRetry && (
        <TextButton onClick={props.onRetry}>{trans.__('Retry')}</TextButton>
      )}
    </div>
  );
}

/**
 * A sentence that tells that something is on its way.
 */
export function Waiting(props: { children: React.ReactNode }): JSX.Element {
  return (
    <p className="jp-DotscienceEmpty" role="status">
      {props.children}
    </p>
  );
}

/**
 * A column of a table.
 */
export interface IColumn<T> {
  /**
   * Tells columns apart.
   */
  id: string;

  /**
   * The heading.
   */
  label: string;

  /**
   * What a cell shows.
   */
  render: (row: T) => React.ReactNode;

  /**
   * What the column is sorted by; without it the column cannot be sorted.
   */
  sortBy?: (row: T) => Scalar | undefined;

  /**
   * Whether numbers are shown, which are set to the right.
   */
  numeric?: boolean;
}

/**
 * A table whose first column names the row and whose headings sort.
 */
export function DataTable<T>(props: {
  caption: string;
  columns: IColumn<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  rowClass?: (row: T) => string | undefined;
  trans: TranslationBundle;
}): JSX.Element {
  const { columns, rows, rowKey, trans } = props;
  const [sort, setSort] = React.useState<{
    column: string;
    descending: boolean;
  } | null>(null);

  const sorted = React.useMemo(() => {
    const sortBy = columns.find(column => column.id === sort?.column)?.sortBy;
    if (!sort || !sortBy) {
      return rows;
    }
    const sign = sort.descending ? -1 : 1;
    return [...rows].sort((a, b) => {
      const x = sortBy(a);
      const y = sortBy(b);
      // rows without a value stay last in both directions
      const missing = Number(isMissing(x)) - Number(isMissing(y));
      return missing || sign * compareValues(x, y);
    });
  }, [rows, columns, sort]);

  return (
    <div className="jp-DotscienceTable-scroll">
      <table className="jp-DotscienceTable">
        <caption className="jp-Dotscience-visuallyHidden">
          {props.caption}
        </caption>
        <thead>
          <tr>
            {columns.map(column => {
              const current = sort?.column === column.id ? sort : null;
              return (
                <th
                  key={column.id}
                  scope="col"
                  className={column.numeric ? 'jp-mod-numeric' : undefined}
                  aria-sort={
                    current
                      ? current.descending
                        ? 'descending'
                        : 'ascending'
                      : undefined
                  }
                >
                  {column.sortBy ? (
                    <button
                      type="button"
                      className="jp-DotscienceTable-sort"
                      title={trans.__('Sort by %1', column.label)}
                      onClick={() => {
                        setSort(
                          current?.descending
                            ? null
                            : { column: column.id, descending: !!current }
                        );
                      }}
                    >
                      {column.label}
                      <span aria-hidden="true">
                        {current ? (current.descending ? ' ▾' : ' ▴') : ''}
                      </span>
                    </button>
                  ) : (
                    column.label
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {sorted.map(row => (
            <tr key={rowKey(row)} className={props.rowClass?.(row)}>
              {columns.map((column, index) => {
                const className = column.numeric ? 'jp-mod-numeric' : undefined;
                return index === 0 ? (
                  <th key={column.id} scope="row" className={className}>
                    {column.render(row)}
                  </th>
                ) : (
                  <td key={column.id} className={className}>
                    {column.render(row)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function isMissing(value: Scalar | undefined): boolean {
  return value === null || value === undefined;
}

/**
 * Names with their values, for a handful of facts.
 */
export function Facts(props: {
  facts: { label: string; value: React.ReactNode; title?: string }[];
}): JSX.Element {
  return (
    <dl className="jp-DotscienceFacts">
      {props.facts.map(fact => (
        <div key={fact.label}>
          <dt>{fact.label}</dt>
          <dd title={fact.title}>{fact.value}</dd>
        </div>
      ))}
    </dl>
  );
}

/**
 * Keeps an error in one part of a tab from taking the rest with it.
 */
export class ErrorBoundary extends React.Component<
  { message: string; children: React.ReactNode },
  { error: Error | null }
> {
  /**
   * Remember what went wrong.
   */
  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  /**
   * Whether something went wrong in the part.
   */
  state: { error: Error | null } = { error: null };

  /**
   * Show the part, or what went wrong.
   */
  render(): React.ReactNode {
    if (this.state.error) {
      return (
        <div className="jp-DotscienceFailure" role="alert">
          <p>{this.props.message}</p>
          <pre>{this.state.error.message}</pre>
        </div>
      );
    }
    return this.props.children;
  }
}

/**
 * Whether an element has been on screen; where that cannot be known, it has.
 */
export function useSeen(ref: React.RefObject<Element>): boolean {
  const [seen, setSeen] = React.useState(
    typeof IntersectionObserver === 'undefined'
  );
  React.useEffect(() => {
    const element = ref.current;
    if (seen || !element) {
      return;
    }
    const observer = new IntersectionObserver(
      entries => {
        if (entries.some(entry => entry.isIntersecting)) {
          setSeen(true);
        }
      },
      { rootMargin: '200px' }
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [seen, ref]);
  return seen;
}

/**
 * The state of something that is asked for.
 */
export interface IAsked<T> {
  /**
   * The answer, once there is one.
   */
  value: T | null;

  /**
   * Why there is none.
   */
  error: Error | null;

  /**
   * Ask again.
   */
  retry: () => void;
}

/**
 * Ask for something while `wanted`, and again when `key` changes.
 *
 * @param ask - Asks; it is called again only when `key` changes or on a retry.
 */
export function useAsked<T>(
  ask: () => Promise<T>,
  key: string,
  wanted: boolean
): IAsked<T> {
  const [round, setRound] = React.useState(0);
  const [state, setState] = React.useState<{
    key: string;
    value: T | null;
    error: Error | null;
  }>({ key, value: null, error: null });
  const latest = React.useRef(ask);
  latest.current = ask;

  React.useEffect(() => {
    if (!wanted) {
      return;
    }
    let current = true;
    setState({ key, value: null, error: null });
    latest.current().then(
      value => {
        if (current) {
          setState({ key, value, error: null });
        }
      },
      (reason: unknown) => {
        if (current) {
          const error = errorOf(reason);
          setState({ key, value: null, error });
        }
      }
    );
    return () => {
      current = false;
    };
  }, [key, wanted, round]);

  return {
    value: state.key === key ? state.value : null,
    error: state.key === key ? state.error : null,
    retry: React.useCallback(() => setRound(n => n + 1), [])
  };
}
