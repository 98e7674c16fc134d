/* The density of the latents (latent/space.py) and the named controls (space/controls). */
#ifndef TS_SPACE_H
#define TS_SPACE_H

#include "model.h"

enum { DESCRIPTORS = 9, PITCH = 4, BRIGHTNESS = 0, LOW_END = 8 };

/* meter.c: descriptors of levels on their scales (space/controls/levels.py), NaN where they need samples; the view is that of `phase`. */
Status levels_measure(const Phase *phase, const Levels *levels, float out[DESCRIPTORS], Arena *work);
size_t levels_measure_size(const Phase *phase, int64_t samples);

struct Space {
  const Model *model;
  int dims, components;
  const float *weights, *means, *factors, *shared; /* [components], [components][dims], [components][dims][dims], [dims][dims] */
  const int32_t *categories;                       /* of the components; -1: none */
  int categories_count;
  float spread;          /* of the latents, by which sounds of a batch are compared */
  const float *leaving;  /* [known][dims]: how an offset follows the conditions that are to stay */
  const double *directions; /* [dims - known][dims - known]: of steps, unit ones are as likely as each other */
};

typedef struct {
  uint64_t seed;
  int64_t index;
  int category;
  float temperature, pitch, velocity; /* NaN: drawn */
} Draw;

/* TS_ARGUMENT for what the instrument does not have, said in words. */
Status space_check(const Space *space, const Draw *draw, char *message, size_t size);
Status pitch_check(const Model *model, double midi, char *message, size_t size);
Status velocity_check(const Model *model, double velocity, char *message, size_t size);

/* One draw, number `attempt`. category: of the drawn. */
Status space_draw(const Space *space, const Draw *draw, int64_t attempt, float *z, int *category, Arena *work);
Status space_around(const Space *space, const float *z, float amount, uint64_t seed, int64_t index, float *out, Arena *work);
int nearest_component(const Space *space, const float *z, Arena *work); /* by the pooled covariance; -1: out of memory */

/* What is stored of the controls. slopes [1 or components][DESCRIPTORS][rank], metric [rank][rank]; offered: by control, its descriptor. */
typedef struct {
  const Space *space;
  int count, rank, slopes_count;
  int offered[DESCRIPTORS];
  const float *spreads, *lowest, *highest, *reach, *slopes, *metric;
} Controls;

extern const struct Descriptor {
  const char *name, *unit, *more, *less;
  int logarithmic;
} DESCRIPTOR[DESCRIPTORS];

Status controls_open(Controls **out, const File *file, const Space *space, Arena *arena); /* *out NULL where the file has none */
Status controls_step(const Controls *controls, const float *z, const float *amounts, float *out, float *changes, Arena *work);

/* Lower Cholesky factor of a symmetric matrix [n][n], in place; 0: it has none. Solves L L' x = b in place. */
int cholesky(double *matrix, int n);
void cholesky_solve(const double *factor, int n, double *b);
#endif
