/* Notes by oscillators: what the parts of note.c share (synthesis/harmonic). */
#ifndef TS_NOTE_H
#define TS_NOTE_H

#include "view.h"

enum {
  ZONE_COUNT = 11,
  FLUTTER_AT = ZONE_COUNT, /* places among the columns of the weights: shares of noise, these three, shares in the attack */
  WANDER_AT,
  RATE_AT,
  EARLIER_COLUMNS, /* of files of earlier versions */
  NOTE_COLUMNS = EARLIER_COLUMNS + ZONE_COUNT,
  MOST_PARTIALS = 160,
  MOST_LINES = 24,
  MOST_ROWS = MOST_PARTIALS + MOST_LINES,
  MOST_NOTE_DIMS = 1024
};

struct Note {
  View view;
  int dims, columns, rows; /* rows: of levels */
  const float *weights;    /* (1 + dims, columns) */
  const float *levels;     /* (rows, GROUP_KNOTS, LEVEL_KNOTS), see ranks.h; NULL: files of earlier versions */
  const int *row;          /* of each category of the file */
  size_t categories;
  const float *window;     /* Hann, n_fft */
  double window_energy;
  const float *zone;       /* of every bin: its place among the middles of the zones */
  const int *band;         /* of every bin */
  Fft *fft;
};

/* Traits of one note, see NoteTraits in Python; shares as logarithms. */
typedef struct {
  double noise[ZONE_COUNT], attack[ZONE_COUNT], flutter, wander, rate;
} Traits;

/* The parts of one channel. power: of the bands over all their bins, [frame][stride]; rest: what neither partials nor lines explain.
   rows: power over all bins of partials, then lines, [row][columns]; places: frequencies of the lines in Hz. */
typedef struct {
  int frames, partials, lines;
  size_t stride, columns;
  float *power, *rest, *rows;
  double place[MOST_LINES];
  const int32_t *number; /* of each frame in the note, rising; NULL: all of them, from 0 on */
} NoteParts;

Traits note_traits(const Note *note, const float *z);
float note_zone(double hertz); /* a frequency's place among the middles of the zones */
float note_share(const double *logarithms, float zone); /* logarithm of the share at this place */
int note_frame(const NoteParts *parts, int frame); /* its number in the note */
float note_attack(const Note *note, int number); /* how much of the attack's share a frame has, 1 to 0 */

/* Levels of a part, as quiet as in recorded notes, as powers in parts->power. */
Status note_powers(const Note *note, const Levels *levels, int part, int category, NoteParts *parts, Arena *work);
Status note_separate(const Note *note, double hertz, const Traits *traits, NoteParts *parts, Arena *work);
Status note_lines(const Note *note, double hertz, NoteParts *parts, Arena *work);

/* Phase of the fundamental in turns, [samples]. */
Status note_turns(const Note *note, double hertz, const Traits *traits, int frames, int64_t samples, uint64_t seed, double *turns,
                  Arena *work);
/* Adds partials and lines, or the noise, to audio [samples]. white: changed. */
Status note_tones(const Note *note, double hertz, const Traits *traits, const NoteParts *parts, const double *turns, int64_t samples,
                  uint64_t seed, float *audio, Arena *work);
Status note_noise(const Note *note, double hertz, const Traits *traits, const NoteParts *parts, const float *white, int64_t samples,
                  float *audio, Arena *work);

/* Power of the noise a Hz, [frame][bins], where a sine of amplitude 1 has a power of a half. */
Status note_densities(const Note *note, double hertz, const Traits *traits, const NoteParts *parts, float *out, Arena *work);

/* Gain by bin of the spectrum of white noise that makes noise of deviation 1 with a Gaussian spectrum, [size / 2 + 1]. */
void note_band(double *gain, size_t size, double rate, double centre, double spread);
size_t note_band_size(int frames); /* transform for that many values */
#endif
