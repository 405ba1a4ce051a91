import { describe, expect, it } from 'vitest';

import { Announcer } from '../src/page/camera/announcer';
import { FramePace } from '../src/page/camera/frame-pace';

describe('FramePace', () => {
  it('counts the frames of the last second', () => {
    const pace = new FramePace();
    for (let time = 0; time <= 3000; time += 50) {
      pace.take();
      pace.answer(time);
    }
    expect(pace.taken).toBe(61);
    expect(pace.answered).toBe(61);
    expect(pace.rateToSay(3000)).toBeCloseTo(20, 6);
  });

  it('follows a rate that falls', () => {
    const pace = new FramePace();
    [0, 10, 20, 30, 2000, 2500, 3000].forEach((time) => pace.answer(time));
    expect(pace.rateToSay(3000)).toBeCloseTo(2, 6);
  });

  it('says it now and then', () => {
    const pace = new FramePace();
    [0, 100, 200].forEach((time) => pace.answer(time));
    expect(pace.rateToSay(200)).toBeCloseTo(10, 6);
    pace.answer(300);
    expect(pace.rateToSay(300)).toBeNull();
    expect(pace.rateToSay(700)).not.toBeNull();
  });

  it('says nothing of a single frame', () => {
    const pace = new FramePace();
    pace.answer(0);
    expect(pace.rateToSay(0)).toBeNull();
  });
});

describe('Announcer', () => {
  it('speaks of what is new, and not too often', () => {
    const said: string[] = [];
    const announcer = new Announcer((label) => said.push(label));
    announcer.see('cat', 0);
    announcer.see('dog', 100);
    announcer.see('cat', 6000);
    announcer.see('dog', 6100);
    announcer.see('cup', 7000);
    expect(said).toEqual(['cat', 'dog']);
  });
});
