// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ComparedFile, FileComparison } from '../api/schema';
import { DataTable } from '../run/components';
import { Id } from '../run/files';
import { formatBytes } from '../run/format';
import { AskedImage } from './image';
import type { FileReader } from './reader';

/** Images larger than this are compared by size and digest only, in bytes. */
const LARGEST_IMAGE = 50_000_000;

/** What images are, by the end of their names. */
const TYPES: { [ending: string]: string } = {
  bmp: 'image/bmp',
  gif: 'image/gif',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  png: 'image/png',
  svg: 'image/svg+xml',
  webp: 'image/webp'
};

/**
 * Two versions of a file by size and digest.
 */
export function BinaryView(props: {
  file: ComparedFile;
  trans: TranslationBundle;
}): JSX.Element {
  const { file, trans } = props;
  const rows = [
    { name: trans.__('Before'), size: file.old_size, digest: file.old_digest },
    { name: trans.__('After'), size: file.new_size, digest: file.new_digest }
  ];
  return (
    <DataTable
      caption={trans.__('The two versions of the file')}
      rows={rows}
      rowKey={row => row.name}
      columns={[
        {
          id: 'version',
          label: trans.__('Version'),
          render: row => row.name
        },
        {
          id: 'size',
          label: trans.__('Size'),
          numeric: true,
          render: row => (
            <span
              title={
                row.size === null ? undefined : trans.__('%1 bytes', row.size)
              }
            >
              {formatBytes(row.size)}
            </span>
          )
        },
        {
          id: 'digest',
          label: trans.__('Digest'),
          render: row => <Id id={row.digest} />
        }
      ]}
      trans={trans}
    />
  );
}

/**
 * Two versions of an image, side by side or laid over each other.
 */
export function ImageView(props: {
  content: FileComparison;
  reader: FileReader;
  trans: TranslationBundle;
}): JSX.Element {
  const { content, reader, trans } = props;
  const { file } = content;
  const [overlay, setOverlay] = React.useState(false);
  const [share, setShare] = React.useState(50);
  const id = React.useId();
  const hasOld = file.old_size !== null && file.old_size <= LARGEST_IMAGE;
  const hasNew = file.new_size !== null && file.new_size <= LARGEST_IMAGE;
  const oldPath = file.old_path ?? file.path;
  const image = (
    ref: string,
    path: string,
    digest: string | null,
    alt: string
  ): JSX.Element => (
    <AskedImage
      source={`${ref} ${path} ${digest ?? content.took}`}
      ask={async signal => {
        const blob = await reader.read(ref, path, signal);
        return new Blob([blob], { type: imageType(path) });
      }}
      alt={alt}
      trans={trans}
    />
  );
  const before =
    hasOld &&
    image(
      content.old.ref,
      oldPath,
      file.old_digest,
      trans.__('%1 before', oldPath)
    );
  const after =
    hasNew &&
    image(
      content.new.ref,
      file.path,
      file.new_digest,
      trans.__('%1 after', file.path)
    );
  return (
    <>
      {before && after && (
        <div className="jp-DotscienceImages-tools">
          <label>
            <input
              type="checkbox"
              checked={overlay}
              onChange={event => setOverlay(event.target.checked)}
            />
            {trans.__('Lay the images over each other')}
          </label>
          {overlay && (
            <>
              <label htmlFor={id}>{trans.__('Before')}</label>
              <input
                id={id}
                type="range"
                min={0}
                max={100}
                value={share}
                aria-label={trans.__('How much of the newer image is shown')}
                aria-valuetext={trans.__('%1 percent', share)}
                onChange={event => setShare(Number(event.target.value))}
              />
              <span aria-hidden="true">{trans.__('After')}</span>
            </>
          )}
        </div>
      )}
      {before && after && overlay ? (
        <div className="jp-DotscienceImages-overlay">
          {before}
          <div style={{ opacity: share / 100 }}>{after}</div>
        </div>
      ) : (
        <div className="jp-DotscienceSides">
          <div className={before ? 'jp-mod-removed' : 'jp-mod-none'}>
            <h4>
              {file.old_size === null
                ? trans.__('Before: no file')
                : trans.__('- Before')}
            </h4>
            {before}
          </div>
          <div className={after ? 'jp-mod-added' : 'jp-mod-none'}>
            <h4>
              {file.new_size === null
                ? trans.__('After: no file')
                : trans.__('+ After')}
            </h4>
            {after}
          </div>
        </div>
      )}
      <BinaryView file={file} trans={trans} />
    </>
  );
}

function imageType(path: string): string {
  const ending = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  return TYPES[ending] ?? 'application/octet-stream';
}
