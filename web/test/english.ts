/** The tests' page speaks English. */

import english from '../../templates/strings/en.json';
import { speak } from '../src/page/language';

speak(english.script);
