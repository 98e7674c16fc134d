/* The decoder of `oneshot`, and its conditions. */
#ifndef TS_MODEL_H
#define TS_MODEL_H

#include "file.h"

enum { LANES = 8, BLOCK = 32, PITCH_FEATURES = 7 };
typedef float F8 __attribute__((vector_size(32)));
typedef int32_t I8x __attribute__((vector_size(32)));
typedef uint32_t U8x __attribute__((vector_size(32)));

/* y = bias + x @ weights, stored in blocks of BLOCK outputs, in each all inputs one after the other: read once, in order. Numbers of 16
   bits are halves of a power of two times the weight, numbers of 8 bits have a factor an input. */
typedef struct {
  Type type;
  int inputs, outputs; /* outputs: a multiple of BLOCK, what is over is 0 */
  const void *weights; /* [outputs / BLOCK][inputs][BLOCK] */
  const float *factors; /* [inputs]; NULL: 1 */
  const float *bias;   /* [outputs] */
} Matrix;

void matrix_apply(const Matrix *matrix, const float *x, float *y, Arena *work);
/* A layer `name`.weight (outputs, inputs), `name`.bias. */
Status matrix_layer(Matrix *out, const File *file, const char *name, int inputs, int outputs, Arena *arena);
/* matrix_rows.c: rows of a tensor (inputs, cells). sources: of every output (a multiple of BLOCK) its cell, -1: none, always 0. */
Status matrix_rows(Matrix *out, const File *file, const char *name, int inputs, int cells, const int32_t *sources, int outputs, Arena *arena);
/* A bias (cells,) for it, `empty` where there is no cell. A matrix without bias can be added alone. */
Status matrix_bias(Matrix *matrix, const File *file, const char *name, int cells, const int32_t *sources, float empty, Arena *arena);
void matrix_add(const Matrix *matrix, const float *x, float *y, Arena *work); /* y += x @ weights */

/* Grids of model/parts/timegrid.py and representation/views/bands.py: whole numbers, rising, the first 0. They return their number. */
int64_t step_edges(int64_t frames, int64_t attack, int64_t steps, int32_t *out, size_t room);
int64_t band_edges(int64_t bins, int64_t bands, int32_t *out, size_t room);

/* Pitch as a condition: a scale of the latent, see NoteRange. */
typedef struct {
  double lowest, highest;
  float scale, middle;
} Notes;

typedef struct {
  const float *norm[2];
  Matrix inner, outer;
} Residual;

struct Model {
  int dims, known, inputs, coefficients, width, depth; /* known: entries of the latent that are conditions */
  int has_notes, has_velocity;
  Notes notes;
  double lowest_velocity, highest_velocity;
  int sample_rate, channels, hop, parts, bands, steps, columns, stride; /* columns: bands or slots; stride: of a step in an image */
  int64_t samples, frames;
  float floor;
  Matrix first, last, basis, rest; /* rest: added to the basis, for its first inputs; inputs 0: none */
  Residual *blocks;
  const float *norm[2], *scale, *velocity_effect, *length_weights;
  float change, length_bias, length_mean, length_deviation;
  const int32_t *edges;
  const double *centres, *slots; /* Hz of the bands; harmonics of the columns */
};

float notes_standard(const Notes *notes, float midi);
float notes_midi(const Notes *notes, float standard);
float velocity_standard(const Model *model, float velocity);
double velocity_of(const Model *model, float standard);
/* Weights of `bands` rows, four columns each from `at`: the image of harmonics at a pitch in bands. */
void harmonic_rows(const Model *model, float midi, int32_t *at, float *weights);
Status harmonic_axis(Model *model, const File *file, Arena *arena); /* its slots; columns: their number */
#endif
