// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { Button } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { AttachedDataset, DatasetUse, ListedVersion } from '../api/schema';
import { CommandIDs } from '../commands';
import { asApiError } from '../request';
import { firstLine, formatTime, runTitle, shortId } from '../run/format';
import type { IDatasetsState } from '../tokens';

interface IVersionsProps {
  dataset: AttachedDataset;
  datasets: IDatasetsState;
  commands: CommandRegistry;
  trans: TranslationBundle;
  workspace: string;
}

interface IKnown {
  items: readonly ListedVersion[];
  total: number;
  error: string;
}

/**
 * The versions of a dataset, newest first, and the runs of this workspace that used each.
 */
export function Versions(props: IVersionsProps): React.ReactElement {
  const { dataset, datasets, trans } = props;
  const { name } = dataset;
  const [known, setKnown] = React.useState<IKnown | null>(null);
  const [isReading, setReading] = React.useState(false);
  const isThere = React.useRef(true);
  const id = React.useId();
  const read = async (before: readonly ListedVersion[]): Promise<void> => {
    setReading(true);
    let found: IKnown;
    try {
      const { items, total } = await datasets.versions(name, before.length);
      found = { items: [...before, ...items], total, error: '' };
    } catch (reason) {
      const error = asApiError(reason).message;
      found = { items: before, total: before.length, error };
    }
    if (isThere.current) {
      setKnown(found);
      setReading(false);
    }
  };
  React.useEffect(() => {
    isThere.current = true;
    void read([]);
    return () => {
      isThere.current = false;
    };
  }, [name]);
  if (!known) {
    return <p role="status">{trans.__('Reading the versions…')}</p>;
  }
  const { error, items, total } = known;
  return (
    <>
      <h4 id={id}>{trans._n('%1 version', '%1 versions', total)}</h4>
      {error && (
        <p className="jp-DotscienceDatasets-problem" role="alert">
          {error}
        </p>
      )}
      <ul className="jp-DotscienceDatasets-versions" aria-labelledby={id}>
        {items.map(version => (
          <Version key={version.id} version={version} {...props} />
        ))}
      </ul>
      {items.length < total && (
        <Button
          className="jp-mod-styled"
          small
          disabled={isReading}
          onClick={() => void read(items)}
        >
          {trans.__('Show Older Versions')}
        </Button>
      )}
    </>
  );
}

function Version(
  props: IVersionsProps & { version: ListedVersion }
): React.ReactElement {
  const { commands, dataset, trans, version } = props;
  const isShown = version.id === dataset.version?.id;
  const what = (direction: DatasetUse['direction']): DatasetUse[] =>
    version.uses.filter(use => use.direction === direction);
  return (
    <li aria-current={isShown || undefined}>
      <div className="jp-DotscienceDatasets-line">
        <span title={version.id}>
          {formatTime(version.created)} · <code>{shortId(version.id)}</code>
        </span>
        {isShown ? (
          <span className="jp-Dotscience-badge">{trans.__('in use')}</span>
        ) : (
          dataset.mode === 'read' &&
          commands.hasCommand(CommandIDs.useDatasetVersion) && (
            <Button
              className="jp-mod-styled"
              small
              aria-label={trans.__('Use the version %1', shortId(version.id))}
              onClick={() =>
                void commands.execute(CommandIDs.useDatasetVersion, {
                  dataset: dataset.name,
                  version: version.id
                })
              }
            >
              {trans.__('Use It')}
            </Button>
          )
        )}
      </div>
      <div title={version.message}>
        {trans.__(
          '%1, by %2',
          firstLine(version.message) || trans.__('No message'),
          version.author
        )}
      </div>
      <Uses label={trans.__('Made by')} uses={what('output')} {...props} />
      <Uses label={trans.__('Read by')} uses={what('input')} {...props} />
      {version.total_uses > version.uses.length && (
        <div>
          {trans._n(
            'and %1 more run',
            'and %1 more runs',
            version.total_uses - version.uses.length
          )}
        </div>
      )}
    </li>
  );
}

/** The runs of this workspace that read a version, or made it; a click opens one. */
function Uses(
  props: IVersionsProps & { label: string; uses: readonly DatasetUse[] }
): React.ReactElement | null {
  const { commands, label, trans, uses, workspace } = props;
  if (uses.length === 0) {
    return null;
  }
  return (
    <div className="jp-DotscienceDatasets-uses">
      <span>{label}</span>
      {uses.map(({ run, description }) => (
        <button
          key={run}
          className="jp-DotscienceLink"
          title={trans.__('Open the run %1', shortId(run))}
          onClick={() =>
            void commands.execute(CommandIDs.openRun, { run, workspace })
          }
        >
          {runTitle({ id: run, description }, trans)}
        </button>
      ))}
    </div>
  );
}
