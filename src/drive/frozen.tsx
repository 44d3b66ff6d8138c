// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { MainAreaWidget } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, lockIcon } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { Title, Widget } from '@lumino/widgets';
import * as React from 'react';

import type { ApiClient } from '../api/client';
import type { CommitDetail } from '../api/schema';
import { LinkButton, useAsked } from '../run/components';
import { firstLine, formatTime, shortId } from '../run/format';
import type { IFrozenPath } from './paths';
import { localMinute, parseDrivePath } from './paths';

/**
 * How many runs of a commit are offered.
 */
const MAX_RUNS = 5;

/**
 * What a frozen document starts a kernel with: nothing, ever.
 */
export const NO_KERNEL = {
  shouldStart: false,
  canStart: false,
  autoStartDefault: false
};

/**
 * Makes documents of the frozen drive what they are: without a kernel, read-only and marked.
 *
 * #### Notes
 * It is a widget extension so that it holds however the document was opened: by our
 * commands, from a file browser, or by the restored layout.
 */
export class FrozenExtension implements DocumentRegistry.WidgetExtension {
  /**
   * Create an extension.
   */
  constructor(options: FrozenExtension.IOptions) {
    this._options = options;
  }

  /**
   * Mark a document, if it is frozen.
   */
  createNew(
    widget: Widget,
    context: DocumentRegistry.IContext<DocumentRegistry.IModel>
  ): IDisposable | void {
    const frozen = parseDrivePath(context.path);
    if (!frozen) {
      return;
    }
    const { trans } = this._options;
    context.sessionContext.kernelPreference = {
      ...context.sessionContext.kernelPreference,
      ...NO_KERNEL
    };

    // by its id until it is known of which moment it is
    let mark = trans.__('as of %1', shortId(frozen.commit));
    const { title } = widget;
    const onTitleChanged = (): void => markTitle(title, mark);
    onTitleChanged();
    title.changed.connect(onTitleChanged);
    const detail = this._detail(frozen);
    detail.then(
      ({ created }) => {
        if (!widget.isDisposed) {
          const caption = withoutLine(title.caption, mark);
          mark = trans.__('as of %1', localMinute(created));
          title.caption = caption;
          onTitleChanged();
        }
      },
      () => {
        // the id stays; that the server cannot be reached is said elsewhere
      }
    );

    // It cannot be saved, so nobody is asked to.
    const onModelChanged = (): void => {
      if (context.model.dirty) {
        context.model.dirty = false;
      }
    };
    context.model.stateChanged.connect(onModelChanged);

    if (widget instanceof MainAreaWidget) {
      const banner = new FrozenBanner({
        ...this._options,
        frozen,
        detail: () => detail
      });
      widget.contentHeader.insertWidget(0, banner);
    }
    context.ready.then(
      () => {
        if (!widget.isDisposed) {
          context.model.readOnly = true;
          lockEditors(widget);
        }
      },
      () => {
        // the document manager tells why it could not be read, and closes the tab
      }
    );
    return new DisposableDelegate(() => {
      title.changed.disconnect(onTitleChanged);
      context.model.stateChanged.disconnect(onModelChanged);
    });
  }

  /**
   * What is known of a commit, which never changes.
   */
  private _detail({ workspace, commit }: IFrozenPath): Promise<CommitDetail> {
    const key = `${workspace}\n${commit}`;
    let detail = this._details.get(key);
    if (!detail) {
      detail = this._options.client.commitDetail(workspace, commit);
      this._details.set(key, detail);
      detail.catch(() => this._details.delete(key));
    }
    return detail;
  }

  private _details = new Map<string, Promise<CommitDetail>>();
  private _options: FrozenExtension.IOptions;
}

/**
 * A namespace for `FrozenExtension` types.
 */
export namespace FrozenExtension {
  /**
   * What the extension needs.
   */
  export interface IOptions {
    /**
     * The API.
     */
    client: ApiClient;

    /**
     * Opens a run's tab.
     */
    openRun: (run: string, workspace: string) => void;

    /**
     * Copies a file of a commit to work on it.
     */
    scratchCopy: (commit: string, path: string, workspace: string) => void;

    /**
     * Restores a commit to a new folder.
     */
    restore: (commit: string, workspace: string) => void;

    /**
     * Shows all files of a commit.
     */
    browse: (commit: string, workspace: string) => void;

    /**
     * The translations.
     */
    trans: TranslationBundle;
  }
}

/**
 * Say in the tab which version this is.
 *
 * #### Notes
 * The label must stay the file's name: document widgets take another one for a renaming.
 * The style sheet shows the data attribute behind the label.
 */
function markTitle(title: Title<Widget>, asOf: string): void {
  if (title.dataset['dotscience-as-of'] !== asOf) {
    title.dataset = { ...title.dataset, 'dotscience-as-of': asOf };
  }
  if (!title.caption.includes(asOf)) {
    title.caption = `${title.caption.trimEnd()}\n${asOf}`.trimStart();
  }
}

/**
 * A text without one of its lines.
 */
function withoutLine(text: string, line: string): string {
  return text
    .split('\n')
    .filter(each => each !== line)
    .join('\n');
}

/**
 * Keep what is shown from being typed into.
 */
function lockEditors(widget: Widget): void {
  const content =
    widget instanceof MainAreaWidget
      ? (widget.content as Widget | Partial<NotebookPanel['content']>)
      : widget;
  if ('editor' in content) {
    // a file editor's content
    const { editor } = content as {
      editor?: { setOption?: (option: string, value: unknown) => void };
    };
    editor?.setOption?.('readOnly', true);
  }
  const notebook = content as Partial<NotebookPanel['content']>;
  if (!Array.isArray(notebook.widgets)) {
    return;
  }
  for (const cell of notebook.widgets) {
    if (!('readOnly' in cell)) {
      continue;
    }
    // else the cell would write that it is locked into what it shows, and a copy of it would be locked as well
    cell.syncEditable = false;
    cell.readOnly = true;
  }
}

/**
 * A line over a frozen document that says what it is.
 */
class FrozenBanner extends ReactWidget {
  /**
   * Create a banner.
   */
  constructor(options: IBanner) {
    super();
    this._options = options;
    this.addClass('jp-DotscienceFrozen');
  }

  /**
   * Render the banner.
   */
  protected render(): JSX.Element {
    return <Banner {...this._options} />;
  }

  private _options: IBanner;
}

/**
 * What the line works with.
 */
interface IBanner extends FrozenExtension.IOptions {
  /** Which file of which commit it is. */
  frozen: IFrozenPath;

  /** Tells what is known of the commit. */
  detail: () => Promise<CommitDetail>;
}

/**
 * The content of the line.
 */
export function Banner(props: IBanner): JSX.Element {
  const { browse, frozen, openRun, restore, scratchCopy, trans } = props;
  const { workspace, commit } = frozen;
  const { value } = useAsked(props.detail, `${workspace}\n${commit}`, true);
  const text = bannerText(commit, value, trans);
  const runs = value?.runs.slice(0, MAX_RUNS) ?? [];
  return (
    <div className="jp-DotscienceFrozen-line" role="note">
      <lockIcon.react tag="span" className="jp-DotscienceFrozen-icon" />
      <span className="jp-DotscienceFrozen-text" title={text}>
        {text}
      </span>
      {runs.map(run => (
        <LinkButton
          key={run}
          title={trans.__('Open run %1', run)}
          onClick={() => openRun(run, workspace)}
        >
          {runs.length === 1
            ? trans.__('Open run')
            : trans.__('Run %1', shortId(run))}
        </LinkButton>
      ))}
      <LinkButton
        title={trans.__(
          'Copy it beside the present file, under a new name, to work on it'
        )}
        onClick={() => scratchCopy(commit, frozen.path, workspace)}
      >
        {trans.__('Scratch copy')}
      </LinkButton>
      <LinkButton
        title={trans.__(
          'Show all files as they were then, read-only, in a file browser'
        )}
        onClick={() => browse(commit, workspace)}
      >
        {trans.__('All files')}
      </LinkButton>
      <LinkButton
        title={trans.__(
          'Write all files as they were then to a new folder; nothing that exists is changed'
        )}
        onClick={() => restore(commit, workspace)}
      >
        {trans.__('Restore to a new folder…')}
      </LinkButton>
    </div>
  );
}

function bannerText(
  commit: string,
  detail: CommitDetail | null,
  trans: TranslationBundle
): string {
  if (!detail) {
    return trans.__('Read-only, as of commit %1.', shortId(commit));
  }
  const run =
    detail.runs.length === 1
      ? trans.__('Read-only, as of run %1', shortId(detail.runs[0]))
      : trans.__('Read-only, as of commit %1', shortId(commit));
  const message = firstLine(detail.message);
  return trans.__(
    '%1 (%2): %3',
    run,
    formatTime(detail.created),
    message || detail.author
  );
}
