// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { TextButton } from '../run/components';
import { formatDuration, runTitle, shortId } from '../run/format';
import { RUN_MIME_TYPE } from '../tokens';
import type { ICardRecord } from './record';
import { readRecord } from './record';

/**
 * How many values or files a part of the card shows.
 */
const MAX_ROWS = 12;

/**
 * A published run in a cell's output.
 */
export class RunCardRenderer
  extends ReactWidget
  implements IRenderMime.IRenderer
{
  /**
   * Create a renderer.
   */
  constructor(options: RunCardRenderer.IOptions) {
    super();
    this._options = options;
    this.addClass('jp-DotscienceCard-host');
    this.node.dataset.mimeType = RUN_MIME_TYPE;
  }

  /**
   * Show a run.
   */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._record = readRecord(model.data[RUN_MIME_TYPE]);
    this._ready = true;
    this.update();
    await this.renderPromise;
  }

  /**
   * Render the card.
   */
  protected render(): JSX.Element | null {
    const { openRun, trans } = this._options;
    if (!this._ready) {
      return null;
    }
    return this._record ? (
      <RunCard record={this._record} openRun={openRun} trans={trans} />
    ) : (
      <p className="jp-DotscienceEmpty">
        {trans.__(
          'This output should hold a published run, but it cannot be read.'
        )}
      </p>
    );
  }

  private _options: RunCardRenderer.IOptions;
  private _record: ICardRecord | null = null;
  private _ready = false;
}

/**
 * A namespace for `RunCardRenderer` types.
 */
export namespace RunCardRenderer {
  /**
   * What a renderer needs.
   */
  export interface IOptions {
    /**
     * Opens the run's tab.
     */
    openRun: (run: string) => void;

    /**
     * The translations.
     */
    trans: TranslationBundle;
  }
}

/**
 * Make the factory of cards.
 *
 * @param openRun - Opens a run's tab; the resolver is that of the document the card is in.
 * @param trans - The translations.
 */
export function createCardFactory(
  openRun: (run: string, resolver: IRenderMime.IResolver | null) => void,
  trans: TranslationBundle
): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [RUN_MIME_TYPE],
    // before text/html (50), which holds the same card for pages without us
    defaultRank: 40,
    createRenderer: options =>
      new RunCardRenderer({
        openRun: run => openRun(run, options.resolver),
        trans
      })
  };
}

/**
 * What a run is, at a glance.
 */
export function RunCard(props: {
  record: ICardRecord;
  openRun: (run: string) => void;
  trans: TranslationBundle;
}): JSX.Element {
  const { record, openRun, trans } = props;
  const failed = record.error !== null;
  const title = runTitle(record, trans);
  return (
    <article
      className="jp-DotscienceCard"
      aria-label={trans.__('Run: %1', title)}
    >
      <header>
        <span className={`jp-Dotscience-badge${failed ? ' jp-mod-error' : ''}`}>
          {failed ? trans.__('failed') : trans.__('run')}
        </span>
        <strong>{title}</strong>
        <span className="jp-DotscienceCard-facts">
          {record.seconds !== null && (
            <span>{formatDuration(record.seconds, trans)}</span>
          )}
          <code title={record.id}>{shortId(record.id)}</code>
          <TextButton
            title={trans.__('Show everything known of this run')}
            onClick={() => openRun(record.id)}
          >
            {trans.__('Open run')}
          </TextButton>
        </span>
      </header>
      {failed && (
        <div className="jp-DotscienceRun-error">
          <strong>{record.error}</strong>
          {record.traceback && record.traceback !== record.error && (
            <pre>{record.traceback}</pre>
          )}
        </div>
      )}
      <div className="jp-DotscienceCard-parts">
        <Values
          title={trans.__('Metrics')}
          trans={trans}
          values={record.metrics.map(({ name, text, count }) => ({
            name,
            text:
              count !== null && count > 1
                ? trans.__('%1 (%2 points)', text, count)
                : text
          }))}
        />
        <Values
          title={trans.__('Parameters')}
          values={record.parameters}
          trans={trans}
        />
        <Values
          title={trans.__('Labels')}
          values={record.labels}
          trans={trans}
        />
        <Paths title={trans.__('Inputs')} paths={record.inputs} trans={trans} />
        <Paths
          title={trans.__('Outputs')}
          paths={record.outputs}
          trans={trans}
        />
      </div>
    </article>
  );
}

function Values(props: {
  title: string;
  values: { name: string; text: string }[];
  trans: TranslationBundle;
}): JSX.Element | null {
  const { title, values, trans } = props;
  if (values.length === 0) {
    return null;
  }
  return (
    <table className="jp-DotscienceCard-part">
      <caption>{title}</caption>
      <tbody>
        {values.slice(0, MAX_ROWS).map(({ name, text }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td title={text}>{text}</td>
          </tr>
        ))}
        {values.length > MAX_ROWS && (
          <tr>
            <td colSpan={2}>{moreText(values.length - MAX_ROWS, trans)}</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function Paths(props: {
  title: string;
  paths: string[];
  trans: TranslationBundle;
}): JSX.Element | null {
  const { title, paths, trans } = props;
  if (paths.length === 0) {
    return null;
  }
  return (
    <table className="jp-DotscienceCard-part">
      <caption>{title}</caption>
      <tbody>
        {paths.slice(0, MAX_ROWS).map((path, index) => (
          <tr key={index}>
            <td title={path}>{path}</td>
          </tr>
        ))}
        {paths.length > MAX_ROWS && (
          <tr>
            <td>{moreText(paths.length - MAX_ROWS, trans)}</td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function moreText(count: number, trans: TranslationBundle): string {
  return trans._n('and %1 more', 'and %1 more', count, count);
}
