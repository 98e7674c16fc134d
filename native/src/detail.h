/* The detail of new sounds: the tensors of the detail model, and what its parts share (synthesis/detail_model). */
#ifndef TS_DETAIL_H
#define TS_DETAIL_H

#include "parts.h"

enum { BAND_KNOTS = 10, FRAME_KNOTS = 6, GROUP_KNOTS = 4, ATTACK_FRAMES = 12, TRAITS = 5, RISES = 9, LEVEL_KNOTS = 41 };
enum { TABLE = BAND_KNOTS * FRAME_KNOTS, MOST_DIMS = 1024, MOST_BANDS = 2048 + 1 };
#define ON_FLOOR_DB 0.5f /* decoded cells nearer to the floor are silent */
#define SILENT_DB 3.0f   /* cells nearer to the floor are rendered as silence */

typedef struct Rise Rise;

/* Shapes as in model.py; `row` is the row of each category of the file in attack, limits and rises, 0 for those without one. */
struct Detail {
  int dims, bands, high_band; /* high_band: the first whose centre is over 3 kHz */
  float floor;
  double frames_per_second;
  const float *centre, *spread, *gain, *gain_range, *fast, *fast_range, *fast_rest, *slow, *slow_range, *slow_rest, *shares, *kernel;
  const float *neighbours, *skew, *bias, *scale, *tonal, *lift, *points, *attack, *limits, *rises;
  size_t categories;
  const int *row;
  Rise *rise;
};

size_t detail_row(const Detail *detail, int category);
/* A latent `(dims)` standardised, within 3 deviations. */
void detail_standard(const Detail *detail, const float *z, float *standard);
/* Levels get their gain and the levels that decoded training sounds have; in place. */
Status detail_at_training_levels(const Detail *detail, const float *standard, Levels *levels, Arena *work);
/* The power of `bands` levels of one frame, silent ones 0, and its sum; all together and from band `from` on. row: of `bands`. */
float detail_power(const float *db, int bands, float floor, float *row);
/* Powers of frames to dB under the loudest: at least -90. */
void detail_course(const float *power, float *course, int frames);

/* Linear between knots (rising), constant beyond: the upper of both, 1 to count - 1, and its share. */
int knot_of(float position, const float *knots, int count, float *share);
/* The lower of the two LEVEL_KNOTS around each of n levels in dB, and the share of the upper one. */
void level_knots(const float *level, size_t n, float floor, int *lower, float *share);
/* Of n levels of one frame: 1 where a cell is as loud as its neighbours in frequency, 0 for a partial (synthesis/texture.py).
   padded: room for n + 2 * NOISY_REACH. */
enum { NOISY_REACH = 4 };
void level_noisiness(const float *level, size_t n, float *padded, float *out);
extern const float BAND_KNOT[BAND_KNOTS], FRAME_KNOT[FRAME_KNOTS];

/* Sums and largest value of n numbers in an order that is the same on every machine. */
float row_sum(const float *x, size_t n);
float row_largest(const float *x, size_t n);

Status rise_open(Rise **out, int rate, Arena *arena);
Status rise_sharpen(const Rise *rise, const float *rises, float *audio, int channels, int64_t samples, Arena *work);
size_t rise_work_size(const Rise *rise);
#endif
