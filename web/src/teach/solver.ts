/** The worker that learns tags from photos' features. */

import type { Learned, LearnOrder } from './learn';
import { Teacher } from './teacher';

/** How long it computes before it looks for newer orders. */
const SLICE_MS = 30;

/** How long the visitor must add nothing before the better fit begins. */
const REST_MS = 200;

const teacher = new Teacher();
let newest = 0;

addEventListener('message', ({ data }: MessageEvent<LearnOrder>) => {
  newest = data.id;
  const quick = teacher.learn(data);
  post(quick);
  let begin = performance.now();
  const breathe = async (): Promise<boolean> => {
    if (performance.now() - begin > SLICE_MS) {
      await new Promise((resolve) => {
        setTimeout(resolve);
      });
      begin = performance.now();
    }
    return newest === data.id;
  };
  // When the visitor rests: the next photo would end it.
  setTimeout(() => {
    if (newest === data.id) {
      void teacher.perfect(data, quick, breathe).then((better) => better && post(better));
    }
  }, REST_MS);
});

function post(learned: Learned): void {
  postMessage(learned);
}
