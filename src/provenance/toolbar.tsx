// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { CopyLink } from '../links/button';
import { TextButton } from '../run/components';
import type { Direction } from './client';
import type { ProvenanceModel } from './model';
import { startTitle } from './words';

const DEPTHS = [1, 2, 3, 5, 10, 0];

/**
 * What is searched for.
 */
export interface ISearch {
  text: string;
  onText: (text: string) => void;

  /** How many nodes were found, and which of them is looked at. */
  count: number;
  at: number;
  onStep: (by: number) => void;
}

/**
 * What can be chosen above the graph.
 */
export function Toolbar(props: {
  model: ProvenanceModel;
  search: ISearch;
  onExport: (place: HTMLElement) => void;
  onLink: () => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, search, onExport, onLink, trans } = props;
  const { query, focus, view } = model;
  const id = React.useId();
  return (
    <div
      className="jp-DotscienceProvenance-bar"
      role="group"
      aria-label={trans.__('What is shown')}
    >
      <div className="jp-DotscienceProvenance-search" role="search">
        <input
          type="search"
          className="jp-mod-styled"
          value={search.text}
          placeholder={trans.__('Find a run or file')}
          aria-label={trans.__('Find a run or file')}
          onChange={event => search.onText(event.target.value)}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              event.preventDefault();
              search.onStep(event.shiftKey ? -1 : 1);
            } else if (event.key === 'Escape') {
              event.stopPropagation();
              search.onText('');
            }
          }}
        />
        <span role="status">
          {search.text.trim() === ''
            ? ''
            : search.count === 0
              ? trans.__('nothing found')
              : trans.__('%1 of %2', search.at + 1, search.count)}
        </span>
        {search.count > 1 && (
          <>
            <TextButton
              title={trans.__('Previous')}
              onClick={() => search.onStep(-1)}
            >
              <span aria-hidden="true">▴</span>
              <span className="jp-Dotscience-visuallyHidden">
                {trans.__('Previous')}
              </span>
            </TextButton>
            <TextButton
              title={trans.__('Next')}
              onClick={() => search.onStep(1)}
            >
              <span aria-hidden="true">▾</span>
              <span className="jp-Dotscience-visuallyHidden">
                {trans.__('Next')}
              </span>
            </TextButton>
          </>
        )}
      </div>
      {query.start !== '' && (
        <>
          <label htmlFor={`${id}-direction`}>
            <span className="jp-Dotscience-visuallyHidden">
              {trans.__('Direction')}
            </span>
            <select
              id={`${id}-direction`}
              value={query.direction}
              onChange={event =>
                void model.setQuery({
                  direction: event.target.value as Direction
                })
              }
            >
              <option value="up">{trans.__('What it was made from')}</option>
              <option value="down">{trans.__('What came of it')}</option>
              <option value="both">{trans.__('Both directions')}</option>
            </select>
          </label>
          <label htmlFor={`${id}-depth`}>
            <span className="jp-Dotscience-visuallyHidden">
              {trans.__('Depth')}
            </span>
            <select
              id={`${id}-depth`}
              value={query.depth}
              onChange={event =>
                void model.setQuery({ depth: Number(event.target.value) })
              }
            >
              {[
                ...DEPTHS,
                ...(DEPTHS.includes(query.depth) ? [] : [query.depth])
              ].map(depth => (
                <option key={depth} value={depth}>
                  {depth === 0
                    ? trans.__('Any depth')
                    : trans._n('%1 run away', '%1 runs away', depth, depth)}
                </option>
              ))}
            </select>
          </label>
          <TextButton
            pressed={query.across}
            title={trans.__(
              'Follow it into the other workspaces that this server finds'
            )}
            onClick={() => void model.setAcross(!query.across)}
          >
            {trans.__('Other Workspaces')}
          </TextButton>
          <TextButton
            title={trans.__('Show all runs and files of the workspace')}
            onClick={() => void model.setQuery({ start: '' })}
          >
            {trans.__('Whole Workspace')}
          </TextButton>
        </>
      )}
      {focus && (
        <>
          <TextButton
            pressed={model.isOnly}
            title={trans.__(
              'Leave out what is not in the lineage that is looked at'
            )}
            onClick={() => model.setOnly(!model.isOnly)}
          >
            {trans.__('Only the Lineage')}
          </TextButton>
          <TextButton onClick={() => model.setFocus(null)}>
            {trans.__('Look at Everything')}
          </TextButton>
        </>
      )}
      <span className="jp-DotscienceProvenance-space" />
      {view === 'graph' && (
        <TextButton
          pressed={model.hasChains}
          title={trans.__('Show runs that only follow one another as one node')}
          onClick={() => model.setChains(!model.hasChains)}
        >
          {trans.__('Fold Chains')}
        </TextButton>
      )}
      <TextButton
        title={trans.__('Save as a picture or for other programs')}
        onClick={() => {
          const button = document.activeElement;
          if (button instanceof HTMLElement) {
            onExport(button);
          }
        }}
      >
        {trans.__('Export…')}
      </TextButton>
      <CopyLink onClick={onLink} trans={trans} />
      <TextButton
        pressed={view === 'list'}
        title={trans.__('Show the same graph as nested lists')}
        onClick={() => model.setView(view === 'list' ? 'graph' : 'list')}
      >
        {trans.__('List')}
      </TextButton>
    </div>
  );
}

/**
 * Which program has which colour.
 */
export function Legend(props: {
  model: ProvenanceModel;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, trans } = props;
  const programs = [...model.programs];
  if (programs.length === 0) {
    return null;
  }
  const more = programs.length - LEGEND;
  return (
    <ul
      className="jp-DotscienceProvenance-legend"
      aria-label={trans.__('Colours of notebooks and scripts')}
    >
      {programs.slice(0, LEGEND).map(([program, colour]) => (
        <li key={program} title={program}>
          <span
            className={`jp-DotscienceProvenance-swatch jp-mod-colour${colour}`}
          />
          {program}
        </li>
      ))}
      {more > 0 && (
        <li>{trans._n('and %1 more', 'and %1 more', more, more)}</li>
      )}
    </ul>
  );
}

/** How many programs are named. */
const LEGEND = 7;

/**
 * The heading of the tab.
 */
export function Heading(props: {
  model: ProvenanceModel;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  const { graph, query } = model;
  const nodes = [...(graph?.nodes.values() ?? [])];
  const runs = nodes.filter(({ kind }) => kind === 'run').length;
  return (
    <h1 className="jp-DotscienceProvenance-heading">
      {query.start === ''
        ? trans.__('Provenance of the workspace')
        : startTitle(query.start, trans)}
      {graph && (
        <small>
          {trans.__('%1 runs, %2 file versions', runs, nodes.length - runs)}
        </small>
      )}
    </h1>
  );
}
