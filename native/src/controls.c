/* Named controls: a step of the latent by stored slopes, as `Steering.steer` (space/controls/steer.py) without corrections. */
#include "space.h"

static const double HOLD = 64.0, AUDIBLE = 1.0, SOFT = 1e-4;
static const float LEAST_REACH = 0.2f, MOST = 3.0f;

const struct Descriptor DESCRIPTOR[DESCRIPTORS] = { /* audio/describe.py */
    {"brightness", "Hz", "brighter", "darker", 1},  {"decay", "s", "ringing", "damped", 1},       {"attack", "s", "softer", "sharper", 1},
    {"noisiness", "", "noisier", "purer", 1},       {"pitch", "Hz", "higher", "lower", 1},        {"loudness", "dB", "louder", "quieter", 0},
    {"inharmonicity", "%", "metallic", "harmonic", 1}, {"length", "s", "longer", "shorter", 1},   {"low_end", "dB", "fuller", "thinner", 0},
};

Status controls_open(Controls **out, const File *file, const Space *space, Arena *arena) {
  *out = NULL;
  const Tensor *slopes = file_tensor(file, "controls.slopes");
  if (slopes == NULL || slopes->axes != 3 || slopes->shape[1] != DESCRIPTORS) return TS_OK; /* none, or of other descriptors */
  Controls *controls = TAKE(arena, Controls, 1);
  if (controls == NULL) return TS_MEMORY;
  int64_t rank = space->dims - space->model->known, count = slopes->shape[0] == 1 ? 1 : space->components;
  int64_t shape[3] = {count, DESCRIPTORS, rank}, square[2] = {rank, rank}, reach[2] = {DESCRIPTORS, 2};
  *controls = (Controls){.space = space, .rank = (int)rank, .slopes_count = (int)count};
  Status status = file_floats(file, "controls.slopes", 3, shape, -1e6f, 1e6f, &controls->slopes, arena);
  if (status == TS_OK) status = file_floats(file, "controls.metric", 2, square, -1e9f, 1e9f, &controls->metric, arena);
  if (status == TS_OK) status = file_floats(file, "controls.spreads", 1, shape + 1, 0.0f, 1e6f, &controls->spreads, arena);
  if (status == TS_OK) status = file_floats(file, "controls.lowest", 1, shape + 1, -1e6f, 1e6f, &controls->lowest, arena);
  if (status == TS_OK) status = file_floats(file, "controls.highest", 1, shape + 1, -1e6f, 1e6f, &controls->highest, arena);
  if (status == TS_OK) status = file_floats(file, "controls.reach", 2, reach, -1e6f, 1e6f, &controls->reach, arena);
  if (status != TS_OK) return status;
  for (int i = 0; i < DESCRIPTORS; i++) {
    float down = controls->reach[2 * i], up = controls->reach[2 * i + 1];
    if (controls->spreads[i] > 0.0f && (-down > up ? -down : up) >= LEAST_REACH) controls->offered[controls->count++] = i;
  }
  *out = controls;
  return TS_OK;
}

/* The pitch of a latent moved by spreads; the latent stays without a wish. */
static Status move_pitch(const Controls *controls, const float *wished, float *z) {
  const Model *model = controls->space->model;
  if (wished[PITCH] != wished[PITCH]) return TS_OK;
  double midi = (double)notes_midi(&model->notes, z[model->dims - 1]) + 12.0 * (double)wished[PITCH] * (double)controls->spreads[PITCH];
  if (pitch_check(model, midi, NULL, 0) != TS_OK) return TS_ARGUMENT;
  z[model->dims - 1] = notes_standard(&model->notes, (float)midi);
  return TS_OK;
}

/* The step [rank] that minimises its squared length, the squared change in dB and the changes of held descriptors, such that those asked
   for change as wished. Its first-order conditions, solved by Cholesky factors. */
static Status shortest_step(const Controls *controls, const float *slopes, const float *wished, const int *held, double *step, Arena *work) {
  int rank = controls->rank, asked[DESCRIPTORS], count = 0;
  double *square = TAKE(work, double, (size_t)rank * (size_t)rank), *across = TAKE(work, double, (size_t)rank * DESCRIPTORS);
  double inner[DESCRIPTORS * DESCRIPTORS], weights[DESCRIPTORS];
  if (square == NULL || across == NULL) return TS_MEMORY;
  for (int i = 0; i < rank; i++)
    for (int j = 0; j < rank; j++) {
      double sum = (i == j) + AUDIBLE * (double)controls->metric[(size_t)i * (size_t)rank + (size_t)j];
      for (int d = 0; d < DESCRIPTORS; d++)
        if (held[d]) sum += HOLD * (double)slopes[d * rank + i] * (double)slopes[d * rank + j];
      square[(size_t)i * (size_t)rank + (size_t)j] = sum;
    }
  if (!cholesky(square, rank)) return TS_DAMAGED;
  for (int d = 0; d < DESCRIPTORS; d++)
    if (d != PITCH && wished[d] == wished[d]) asked[count++] = d;
  for (int a = 0; a < count; a++) {
    for (int i = 0; i < rank; i++) across[(size_t)a * (size_t)rank + (size_t)i] = (double)slopes[asked[a] * rank + i];
    cholesky_solve(square, rank, across + (size_t)a * (size_t)rank);
  }
  for (int a = 0; a < count; a++) {
    weights[a] = (double)wished[asked[a]];
    for (int b = 0; b < count; b++) {
      double sum = a == b ? SOFT : 0.0;
      for (int i = 0; i < rank; i++) sum += (double)slopes[asked[a] * rank + i] * across[(size_t)b * (size_t)rank + (size_t)i];
      inner[a * count + b] = sum;
    }
  }
  if (!cholesky(inner, count)) return TS_DAMAGED;
  cholesky_solve(inner, count, weights);
  double length = 0.0;
  for (int i = 0; i < rank; i++) {
    step[i] = 0.0;
    for (int a = 0; a < count; a++) step[i] += across[(size_t)a * (size_t)rank + (size_t)i] * weights[a];
    length += step[i] * step[i];
  }
  double farthest = ts_sqrt((double)rank);
  length = ts_sqrt(length);
  for (int i = 0; i < rank && length > farthest; i++) step[i] *= farthest / length;
  return TS_OK;
}

Status controls_step(const Controls *controls, const float *z, const float *amounts, float *out, float *changes, Arena *work) {
  const Space *space = controls->space;
  int rank = controls->rank, dims = space->dims, held[DESCRIPTORS] = {0}, any = 0;
  size_t used = work->used;
  float wished[DESCRIPTORS];
  for (int d = 0; d < DESCRIPTORS; d++) wished[d] = __builtin_nanf("");
  for (int i = 0; i < controls->count; i++) {
    int d = controls->offered[i];
    if (!(amounts[i] != amounts[i] || (amounts[i] >= -MOST && amounts[i] <= MOST))) return TS_ARGUMENT;
    wished[d] = amounts[i];
    held[d] = d != PITCH && amounts[i] != amounts[i];
    any = any || (d != PITCH && amounts[i] == amounts[i] && amounts[i] != 0.0f);
  }
  double *step = TAKE(work, double, rank);
  float *start = TAKE(work, float, dims);
  if (step == NULL || start == NULL) return TS_MEMORY;
  __builtin_memcpy(start, z, (size_t)dims * sizeof *start);
  Status status = move_pitch(controls, wished, start);
  if (status != TS_OK) return status;
  if (wished[PITCH] == wished[PITCH]) held[BRIGHTNESS] = held[LOW_END] = 0; /* another pitch moves the spectrum with it */
  int component = controls->slopes_count == 1 ? 0 : nearest_component(space, start, work);
  if (component < 0) return TS_MEMORY;
  const float *slopes = controls->slopes + (size_t)component * DESCRIPTORS * (size_t)rank;
  for (int i = 0; i < rank; i++) step[i] = 0.0;
  if (any) status = shortest_step(controls, slopes, wished, held, step, work);
  if (status != TS_OK) return status;
  for (int i = 0; i < dims; i++) {
    double shift = 0.0;
    for (int r = 0; r < rank && i < rank; r++) shift += step[r] * space->directions[(size_t)r * (size_t)rank + (size_t)i];
    out[i] = start[i] + (float)shift;
  }
  for (int i = 0; i < controls->count && changes != NULL; i++) {
    int d = controls->offered[i];
    double change = d == PITCH ? (wished[d] == wished[d] ? (double)wished[d] : 0.0) : 0.0;
    for (int r = 0; r < rank && d != PITCH; r++) change += (double)slopes[d * rank + r] * step[r];
    changes[i] = (float)change;
  }
  work->used = used;
  return TS_OK;
}
