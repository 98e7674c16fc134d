/* New latents and changed ones, for the public header. */
#include "instrument.h"

enum { TRIES = 20, REDRAWS = 6 }; /* as synthesis/request.py */
static const double DUPLICATE = 0.15;
static const float LEAST_TEMPERATURE = 0.05f;

uint64_t ts_seed(uint64_t seed, uint64_t index) { return seed_of(seed, index); }

void ts_draw_defaults(ts_draw_request *out) {
  if (out != NULL) *out = (ts_draw_request){.category = -1, .temperature = 1.0f, .pitch = __builtin_nanf(""), .velocity = __builtin_nanf("")};
}

static Status check_latent(const ts_instrument *instrument, const float *z, ts_memory *memory) {
  for (int i = 0; z != NULL && i < instrument->model->dims; i++)
    if (!(z[i] >= -1e6f && z[i] <= 1e6f)) {
      text_format(memory->message, sizeof memory->message, "number %d of the latent is %f, allowed are finite numbers", (int64_t)i, (double)z[i]);
      return TS_ARGUMENT;
    }
  return z == NULL ? TS_ARGUMENT : TS_OK;
}

/* How far the sound of a latent is beyond what real ones of its category are. */
static Status excess_of(const ts_instrument *instrument, const float *z, int category, double *out, Arena *work) {
  size_t used = work->used;
  int64_t samples = 0;
  Levels levels;
  *out = 0.0;
  if (instrument->detail == NULL) return TS_OK;
  Status status = model_decode(instrument->model, z, &samples, &levels, work);
  if (status == TS_OK) status = detail_excess(instrument->detail, z, category, &levels, out, work);
  work->used = used;
  return status;
}

/* Whether a latent is nearer to one of `count` others than `least`. */
static int is_near(const float *z, const float *others, int32_t count, int dims, double least) {
  for (int32_t k = 0; k < count; k++, others += dims) {
    double square = 0.0;
    for (int i = 0; i < dims; i++) square += ((double)others[i] - (double)z[i]) * ((double)others[i] - (double)z[i]);
    if (ts_sqrt(square) <= least) return 1;
  }
  return 0;
}

/* The first draw that is not near an earlier sound nor unlike real ones; of the latter, after some, the least unlike. */
static Status draw_distinct(const ts_instrument *instrument, Draw draw, const float *earlier, int32_t count, float *z, ts_drawn *out, Arena *work) {
  int dims = instrument->model->dims, category, found = 0;
  float *best = TAKE(work, float, dims), heat = draw.temperature > LEAST_TEMPERATURE ? draw.temperature : LEAST_TEMPERATURE;
  double least = 1e300, beyond = 0.0, spread = (double)instrument->space->spread * (double)heat;
  if (best == NULL) return TS_MEMORY;
  for (int attempt = 0; attempt < TRIES; attempt++) {
    Status status = space_draw(instrument->space, &draw, attempt, z, &category, work);
    if (!found) out->category = category;
    if (status != TS_OK) return status;
    if (is_near(z, earlier, count, dims, DUPLICATE * spread)) continue;
    if (draw.temperature <= 1.0f) status = excess_of(instrument, z, category, &beyond, work);
    if (status != TS_OK) return status;
    if (beyond < least) {
      __builtin_memcpy(best, z, (size_t)dims * sizeof *best);
      least = beyond, out->category = category, found = 1;
    }
    if (!(beyond > 0.0) || out->redrawn == REDRAWS) break;
    out->redrawn++;
    draw.category = category; /* of the same category, so that none gets rarer */
  }
  if (found) __builtin_memcpy(z, best, (size_t)dims * sizeof *best);
  return TS_OK;
}

ts_status ts_draw(const ts_instrument *instrument, const ts_draw_request *request, const float *earlier, int32_t count, float *z, ts_drawn *out,
                  ts_memory *work) {
  if (instrument == NULL || request == NULL || z == NULL || work == NULL || count < 0 || (count > 0 && earlier == NULL)) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  ts_drawn drawn = {.category = -1};
  Draw draw = {.seed = request->seed, .index = request->index, .category = request->category, .temperature = request->temperature,
               .pitch = request->pitch, .velocity = request->velocity};
  Status status = space_check(instrument->space, &draw, work->message, sizeof work->message);
  float *own = TAKE(&arena, float, instrument->model->dims);
  if (own == NULL) return finished(work, &arena, TS_MEMORY);
  if (status == TS_OK && request->drafted)
    status = space_draw(instrument->space, &draw, 0, own, &drawn.category, &arena);
  else if (status == TS_OK)
    status = draw_distinct(instrument, draw, earlier, count, own, &drawn, &arena);
  if (status == TS_OK) {
    __builtin_memcpy(z, own, (size_t)instrument->model->dims * sizeof *own);
    if (out != NULL) *out = drawn;
  }
  return finished(work, &arena, status);
}

ts_status ts_around(const ts_instrument *instrument, const float *z, float amount, uint64_t seed, int32_t index, float *out, ts_memory *work) {
  if (instrument == NULL || out == NULL || work == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  Status status = check_latent(instrument, z, work);
  if (!(amount >= 0.0f && amount <= 4.0f) || index < 0) {
    text_format(work->message, sizeof work->message, "amount is %f and index %d, allowed are 0 to 4 and 0 or more", (double)amount, (int64_t)index);
    status = TS_ARGUMENT;
  }
  if (status == TS_OK) status = space_around(instrument->space, z, amount, seed, index, out, &arena);
  return finished(work, &arena, status);
}

ts_status ts_steer(const ts_instrument *instrument, const float *z, const float *amounts, float *out, float *changes, ts_memory *work) {
  if (instrument == NULL || amounts == NULL || out == NULL || work == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  Status status = check_latent(instrument, z, work);
  if (status == TS_OK && instrument->controls == NULL) {
    text_format(work->message, sizeof work->message, "the file has no controls; timbrespace stores them when it saves the instrument again");
    status = TS_UNCOVERED;
  }
  for (int i = 0; status == TS_OK && i < instrument->controls->count; i++)
    if (amounts[i] == amounts[i] && !(amounts[i] >= -3.0f && amounts[i] <= 3.0f)) {
      text_format(work->message, sizeof work->message, "%s is asked for by %f, allowed are up to 3 spreads either way",
                  DESCRIPTOR[instrument->controls->offered[i]].name, (double)amounts[i]);
      status = TS_ARGUMENT;
    }
  if (status == TS_OK) status = controls_step(instrument->controls, z, amounts, out, changes, &arena);
  return finished(work, &arena, status);
}

float ts_pitch(const ts_instrument *instrument, const float *z) {
  if (instrument == NULL || z == NULL || !instrument->model->has_notes) return __builtin_nanf("");
  return notes_midi(&instrument->model->notes, z[instrument->model->dims - 1]);
}

float ts_velocity(const ts_instrument *instrument, const float *z) {
  if (instrument == NULL || z == NULL || !instrument->model->has_velocity) return __builtin_nanf("");
  return (float)velocity_of(instrument->model, z[instrument->model->dims - instrument->model->known]);
}

ts_status ts_set_pitch(const ts_instrument *instrument, float *z, float midi) {
  if (instrument == NULL || z == NULL || pitch_check(instrument->model, (double)midi, NULL, 0) != TS_OK) return TS_ARGUMENT;
  z[instrument->model->dims - 1] = notes_standard(&instrument->model->notes, midi);
  return TS_OK;
}

ts_status ts_set_velocity(const ts_instrument *instrument, float *z, float velocity) {
  if (instrument == NULL || z == NULL || velocity_check(instrument->model, (double)velocity, NULL, 0) != TS_OK) return TS_ARGUMENT;
  z[instrument->model->dims - instrument->model->known] = velocity_standard(instrument->model, velocity);
  return TS_OK;
}
