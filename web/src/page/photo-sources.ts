/** The ways to give photos, of which all but one file load their code when they are used. */

import type { Camera } from './camera/camera';
import { element } from './elements';
import type { Gallery } from './gallery/gallery';
import { say } from './language';
import { takePhotos } from './photo-intake';
import type { PhotoPlace } from './photo-place';
import { pictureAddress } from './picture-address';

/** Listens for photos; returns what ends the camera when something else is given. */
export function listenToSources(place: PhotoPlace): () => void {
  let camera: Camera | undefined;
  let gallery: Gallery | undefined;

  /** Runs what needs code that is not here yet. */
  const withCode = async <Code>(
    code: Promise<Code>,
    run: (code: Code) => void | Promise<void>,
  ): Promise<void> => {
    let loaded: Code;
    try {
      loaded = await code;
    } catch {
      place.alert(say('featureFailed'));
      return;
    }
    await run(loaded);
  };

  const takeFiles = (files: readonly File[]): void => {
    const [file] = files;
    if (file && files.length === 1) {
      place.tag(file, file.name || say('unnamedPhoto'));
    } else if (file) {
      void withCode(import('./gallery/gallery'), ({ Gallery }) => {
        gallery ??= new Gallery(place);
        gallery.add(files);
      });
    } else {
      place.alert(say('noFileDropped'));
    }
  };

  const takeAddress = (address: string): void =>
    void withCode(import('./photo-by-address'), ({ AddressError, fetchPhoto, nameOf }) =>
      place.tagComing(
        (signal) => fetchPhoto(address, signal),
        nameOf(address),
        (error) => (error instanceof AddressError ? error.message : say('featureFailed')),
      ),
    );

  // The template leaves it out where the site's owner wants no photos from elsewhere.
  const form = document.querySelector<HTMLFormElement>('#address-form');
  const nothing = (): void => place.alert(say('noFileDropped'));
  takePhotos(element('#file', HTMLInputElement), document.documentElement, {
    files: takeFiles,
    entries: (entries) =>
      void withCode(import('./dropped-folders'), async ({ filesOf }) =>
        takeFiles(await filesOf(entries).catch(() => [])),
      ),
    address: form ? takeAddress : nothing,
    nothing,
  });

  element('#camera', HTMLButtonElement).addEventListener('click', () => {
    if (camera) {
      // Nothing waits for the camera to stop.
      void camera.toggle();
    } else {
      void withCode(import('./camera/camera'), ({ Camera }) => {
        camera ??= new Camera(place);
        return camera.toggle();
      });
    }
  });

  const field = document.querySelector<HTMLInputElement>('#address');
  form?.addEventListener('submit', (event) => {
    event.preventDefault();
    const address = pictureAddress(field?.value ?? '');
    if (address) {
      takeAddress(address);
    } else {
      place.alert(say('addressNone'));
    }
  });

  return () => camera?.stop();
}
