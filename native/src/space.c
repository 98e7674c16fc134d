/* Draws latents from the density of a corpus, as LatentSpace.draw and .around (latent/space.py) do. */
#include "space.h"

static float halves_to_even(double x) { /* Python's round */
  double low = ts_floor(x), rest = x - low;
  return (float)(low + (rest > 0.5 || (rest == 0.5 && ts_floor(low / 2) * 2 != low) ? 1.0 : 0.0));
}

/* The standardised pitch of the nearest note within the learned range. */
static float tempered(const Notes *notes, float standard) {
  float low = halves_to_even(notes->lowest), high = halves_to_even(notes->highest), note = halves_to_even((double)notes_midi(notes, standard));
  return notes_standard(notes, note < low ? low : note > high ? high : note);
}

static float whole_velocity(const Model *model, float standard) {
  double velocity = velocity_of(model, standard);
  velocity = velocity < model->lowest_velocity ? model->lowest_velocity : velocity;
  return velocity_standard(model, halves_to_even(velocity > model->highest_velocity ? model->highest_velocity : velocity));
}

static int is_nan(float x) { return x != x; }

/* The weights of the components for a draw. last: a wanted pitch, standardised, or NaN. */
static void weigh(const Space *space, int category, float last, double *weights) {
  double most = -1e300;
  int dims = space->dims;
  for (int k = 0; k < space->components; k++) {
    int allowed = category < 0 || space->categories[k] == category;
    weights[k] = -1e300;
    if (!allowed) continue;
    weights[k] = 0.0;
    if (is_nan(last)) continue;
    const float *row = space->factors + ((size_t)k * (size_t)dims + (size_t)(dims - 1)) * (size_t)dims;
    double square = 0.0;
    for (int i = 0; i < dims; i++) square += (double)row[i] * (double)row[i];
    double spread = ts_sqrt(square), off = ((double)last - (double)space->means[(size_t)k * (size_t)dims + (size_t)(dims - 1)]) / spread;
    weights[k] = -0.5 * off * off - ts_log(spread);
    most = weights[k] > most ? weights[k] : most;
  }
  for (int k = 0; k < space->components; k++) {
    double share = weights[k] <= -1e300 ? 0.0 : is_nan(last) ? 1.0 : ts_exp(weights[k] - most);
    weights[k] = (double)space->weights[k] * share;
  }
}

/* Moves a coordinate to a value and the others with it, by the regression of a factor [dims][dims] of the covariance; then takes what it
   explains off the factor. slope: room for dims numbers. */
static void move_to(float *point, float *factor, int dims, int coordinate, float value, float *slope) {
  const float *own = factor + (size_t)coordinate * (size_t)dims;
  for (int i = 0; i < dims; i++) {
    float sum = 0.0f;
    for (int k = 0; k < dims; k++) sum += factor[(size_t)i * (size_t)dims + (size_t)k] * own[k];
    slope[i] = sum;
  }
  float variance = slope[coordinate], off = value - point[coordinate];
  for (int i = 0; i < dims; i++) {
    slope[i] /= variance;
    point[i] += slope[i] * off;
  }
  point[coordinate] = value;
  for (int i = 0; i < dims; i++)
    for (int k = 0; k < dims; k++)
      if (i != coordinate) factor[(size_t)i * (size_t)dims + (size_t)k] -= slope[i] * own[k];
  for (int k = 0; k < dims; k++) factor[(size_t)coordinate * (size_t)dims + (size_t)k] -= slope[coordinate] * own[k];
}

Status pitch_check(const Model *model, double midi, char *message, size_t size) {
  if (!model->has_notes) {
    text_format(message, size, "pitch is %f, and this instrument was learned from sounds without a pitch; leave it out", midi);
    return TS_ARGUMENT;
  }
  double low = model->notes.lowest - 12.0, high = model->notes.highest + 12.0;
  low = low > 0.0 ? low : 0.0, high = high < 127.0 ? high : 127.0;
  if (midi >= low && midi <= high) return TS_OK;
  text_format(message, size, "pitch is %f, allowed are MIDI numbers from %f to %f: its range and an octave beyond", midi, low, high);
  return TS_ARGUMENT;
}

Status velocity_check(const Model *model, double velocity, char *message, size_t size) {
  if (model->has_velocity && velocity >= 1.0 && velocity <= 127.0) return TS_OK;
  if (model->has_velocity)
    text_format(message, size, "velocity is %f, allowed is 1 to 127; it was learned from %f to %f", velocity, model->lowest_velocity,
                model->highest_velocity);
  else
    text_format(message, size, "velocity is %f, and this instrument was learned from sounds without velocities; leave it out", velocity);
  return TS_ARGUMENT;
}

Status space_check(const Space *space, const Draw *draw, char *message, size_t size) {
  if (draw->category < -1 || draw->category >= space->categories_count)
    text_format(message, size, "category is %d, allowed are -1 and up to %d", (int64_t)draw->category, (int64_t)space->categories_count - 1);
  else if (draw->index < 0)
    text_format(message, size, "index is %d, allowed is 0 or more", draw->index);
  else if (!(draw->temperature >= 0.0f && draw->temperature <= 4.0f))
    text_format(message, size, "temperature is %f, allowed is 0 to 4", (double)draw->temperature);
  else if (!is_nan(draw->pitch) && pitch_check(space->model, (double)draw->pitch, message, size) != TS_OK)
    return TS_ARGUMENT;
  else
    return is_nan(draw->velocity) ? TS_OK : velocity_check(space->model, (double)draw->velocity, message, size);
  return TS_ARGUMENT;
}

Status space_draw(const Space *space, const Draw *draw, int64_t attempt, float *z, int *category, Arena *work) {
  const Model *model = space->model;
  int dims = space->dims;
  size_t size = (size_t)dims * (size_t)dims, used = work->used;
  Status status = space_check(space, draw, NULL, 0);
  if (status != TS_OK) return status;
  double *weights = TAKE(work, double, space->components);
  float *offset = TAKE(work, float, dims), *factor = TAKE(work, float, size), *slope = TAKE(work, float, dims);
  if (weights == NULL || offset == NULL || factor == NULL || slope == NULL) return TS_MEMORY;
  float last = is_nan(draw->pitch) ? draw->pitch : notes_standard(&model->notes, draw->pitch);
  weigh(space, draw->category, last, weights);
  Noise noise;
  noise_open(&noise, draw->seed, NOISE_LATENT, (uint64_t)draw->index, (uint64_t)attempt, 0);
  size_t component = noise_choice(&noise, weights, (size_t)space->components);
  noise_normalf(&noise, offset, (size_t)dims);
  const float *mean = space->means + component * (size_t)dims;
  __builtin_memcpy(factor, space->factors + component * size, size * sizeof *factor);
  for (int i = 0; i < dims; i++) {
    float sum = 0.0f;
    for (int k = 0; k < dims; k++) sum += factor[(size_t)i * (size_t)dims + (size_t)k] * offset[k];
    z[i] = mean[i] + draw->temperature * sum;
  }
  if (model->has_notes) move_to(z, factor, dims, dims - 1, is_nan(last) ? tempered(&model->notes, z[dims - 1]) : last, slope);
  if (model->has_velocity) {
    int place = dims - model->known;
    move_to(z, factor, dims, place, is_nan(draw->velocity) ? whole_velocity(model, z[place]) : velocity_standard(model, draw->velocity), slope);
  }
  *category = space->categories[component];
  work->used = used;
  for (int i = 0; i < dims; i++)
    if (!(z[i] >= -1e6f && z[i] <= 1e6f)) return TS_DAMAGED;
  return TS_OK;
}

Status space_around(const Space *space, const float *z, float amount, uint64_t seed, int64_t index, float *out, Arena *work) {
  int dims = space->dims, known = space->model->known;
  size_t used = work->used;
  float *noise_values = TAKE(work, float, dims), *offset = TAKE(work, float, dims);
  if (noise_values == NULL || offset == NULL) return TS_MEMORY;
  if (!(amount >= 0.0f && amount <= 4.0f) || index < 0) return TS_ARGUMENT;
  Noise noise;
  noise_open(&noise, seed, NOISE_VARIATION, (uint64_t)index, 0, 0);
  noise_normalf(&noise, noise_values, (size_t)dims);
  for (int i = 0; i < dims; i++) {
    float sum = 0.0f;
    for (int k = 0; k < dims; k++) sum += space->shared[(size_t)i * (size_t)dims + (size_t)k] * noise_values[k];
    offset[i] = sum;
  }
  for (int i = 0; i < dims - known; i++) {
    float off = offset[i];
    for (int k = 0; k < known; k++) off -= offset[dims - known + k] * space->leaving[(size_t)k * (size_t)dims + (size_t)i];
    out[i] = amount > 0.0f ? z[i] + amount * off : z[i];
  }
  for (int i = dims - known; i < dims; i++) out[i] = z[i];
  work->used = used;
  return TS_OK;
}

int nearest_component(const Space *space, const float *z, Arena *work) {
  int dims = space->dims, found = 0;
  size_t used = work->used;
  double *apart = TAKE(work, double, dims), least = 1e300;
  if (apart == NULL) return -1;
  for (int component = 0; component < space->components; component++) {
    double square = 0.0;
    for (int i = 0; i < dims; i++) { /* forward substitution */
      const float *row = space->shared + (size_t)i * (size_t)dims;
      double rest = (double)z[i] - (double)space->means[(size_t)component * (size_t)dims + (size_t)i];
      for (int k = 0; k < i; k++) rest -= (double)row[k] * apart[k];
      apart[i] = rest / (double)row[i];
      square += apart[i] * apart[i];
    }
    if (square < least) least = square, found = component;
  }
  work->used = used;
  return found;
}
