/* A latent to a finished sound: `encoding.decode` and `finish` (synthesis), for the public header. */
#include "instrument.h"

void ts_render_defaults(ts_render_request *out) {
  if (out != NULL)
    *out = (ts_render_request){.category = -1, .steps = -1, .texture = 1, .finish = 1, .level = TS_PEAK, .target_db = __builtin_nanf(""), .trim = 1};
}

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

size_t ts_work_size(const ts_instrument *instrument, int32_t samples) {
  if (instrument == NULL) return 0;
  const Model *model = instrument->model;
  uint64_t length = samples > 0 && samples < model->samples ? (uint64_t)samples : (uint64_t)model->samples;
  uint64_t frames = length / (uint64_t)model->hop + 1, channels = (uint64_t)model->channels, bands = (uint64_t)model->parts * (uint64_t)model->bands;
  uint64_t levels = bands * (uint64_t)model->frames * 4, image = (uint64_t)model->basis.outputs * 8 + (uint64_t)model->coefficients * 16;
  uint64_t spectra = phase_work_size(instrument->phase, (int64_t)length);
  uint64_t wave = channels * (length + 1024) * 4;
  uint64_t most = larger(image + bands * 64, spectra);
  if (instrument->note != NULL) most = larger(most, note_work_size(instrument->note, (int64_t)length));
  most = larger(most, wave + finish_work_size(model->channels, (int64_t)length, model->sample_rate));
  if (instrument->detail != NULL) most = larger(most, detail_work_size(instrument->detail, model->parts, (int)frames));
  most = larger(most, near_work_size(instrument, (int64_t)length));
  if (instrument->texture != NULL) most = larger(most, texture_work_size(instrument->texture, (int64_t)length));
  uint64_t draws = (uint64_t)model->dims * (uint64_t)model->dims * 16 + (uint64_t)instrument->space->components * 8;
  uint64_t size = levels + wave + most + draws + (1u << 20);
  return size > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)size;
}

static Status refuse(ts_memory *work, const char *name, double given, double low, double high) {
  text_format(work->message, sizeof work->message, "%s is %f, allowed is %f to %f", name, given, low, high);
  return TS_ARGUMENT;
}

static Status check_request(const ts_instrument *instrument, const float *z, const ts_render_request *request, int32_t capacity, ts_memory *work) {
  for (int i = 0; i < instrument->model->dims; i++)
    if (!(z[i] >= -1e6f && z[i] <= 1e6f)) {
      text_format(work->message, sizeof work->message, "number %d of the latent is %f, allowed are finite numbers", (int64_t)i, (double)z[i]);
      return TS_ARGUMENT;
    }
  int categories = (int)category_count(instrument->file);
  if (request->category < -1 || request->category >= categories) return refuse(work, "category", request->category, -1, categories - 1);
  if (request->samples < 0 || request->samples > instrument->model->samples)
    return refuse(work, "samples", request->samples, 0, (double)instrument->model->samples);
  if (request->steps < -1 || request->steps > 1000) return refuse(work, "steps", request->steps, -1, 1000);
  if (request->level < TS_PEAK || request->level > TS_KEEP) return refuse(work, "level", request->level, TS_PEAK, TS_KEEP);
  if (request->target_db == request->target_db && !(request->target_db >= -100.0f && request->target_db <= 0.0f))
    return refuse(work, "target_db", (double)request->target_db, -100, 0);
  if (capacity < 1) return refuse(work, "capacity", capacity, 1, 1e9);
  return TS_OK;
}

/* Levels to samples [channel][samples] with a peak of 1. */
static Status render_levels(const ts_instrument *instrument, const float *z, const ts_render_request *request, Levels *levels, int64_t samples,
                            float *audio, Arena *work) {
  const Model *model = instrument->model;
  size_t used = work->used, count = (size_t)samples * (size_t)model->channels;
  Status status;
  if (request->texture && instrument->note != NULL) {
    double midi = (double)notes_midi(&model->notes, z[model->dims - 1]);
    status = note_render(instrument->note, levels, z, request->category, midi, request->seed, samples, audio, work);
  } else {
    int steps = request->steps >= 0 ? request->steps : request->texture ? new_sound_steps(instrument) : instrument->iterations;
    const Detail *detail = request->texture ? instrument->detail : NULL;
    status = detail != NULL ? detail_add(detail, z, request->category, request->seed, levels, work) : TS_OK;
    if (request->texture && instrument->texture != NULL) status = texture_add(instrument->texture, request->seed, samples, levels, work);
    if (status == TS_OK) status = phase_render(instrument->phase, levels, samples, request->seed, steps, audio, work);
    if (status == TS_OK && detail != NULL) status = detail_sharpen(detail, request->category, audio, model->channels, samples, work);
  }
  work->used = used;
  if (status != TS_OK) return status;
  float peak = 1e-9f;
  for (size_t i = 0; i < count; i++) {
    float size = audio[i] < 0.0f ? -audio[i] : audio[i];
    if (!(size <= 3e38f)) return TS_DAMAGED;
    peak = size > peak ? size : peak;
  }
  for (size_t i = 0; i < count; i++) audio[i] /= peak;
  return TS_OK;
}

/* Finishes a sound, or leaves it, and puts it into the caller's memory. */
static Status deliver(const ts_instrument *instrument, const ts_render_request *request, const float *raw, int64_t length, float *audio,
                      int32_t capacity, int32_t *samples, ts_memory *memory, Arena *work) {
  int channels = instrument->model->channels;
  int64_t room = length + 1024; /* finishing may put a ramp before */
  float *wave = TAKE(work, float, (size_t)room * (size_t)channels);
  if (wave == NULL) return TS_MEMORY;
  for (int c = 0; c < channels; c++) __builtin_memcpy(wave + (size_t)c * (size_t)room, raw + (size_t)c * (size_t)length, (size_t)length * sizeof *raw);
  Finish options = {.level = request->level, .trim = request->trim != 0, .subsonics = request->subsonics != 0};
  options.target_db = request->target_db == request->target_db ? (double)request->target_db : request->level == TS_PEAK ? -1.0 : request->level == TS_LOUDNESS ? -16.0 : 0.0;
  if (request->finish) {
    Status status = finish_sound(wave, channels, &length, room, instrument->model->sample_rate, &options, work);
    if (status != TS_OK) return status;
  }
  if (length > capacity) {
    text_format(memory->message, sizeof memory->message, "capacity is %d, and the sound has %d samples a channel", (int64_t)capacity, length);
    return TS_ARGUMENT;
  }
  for (int c = 0; c < channels; c++) __builtin_memcpy(audio + (size_t)c * (size_t)capacity, wave + (size_t)c * (size_t)room, (size_t)length * sizeof *raw);
  *samples = (int32_t)length;
  return TS_OK;
}

ts_status ts_render(const ts_instrument *instrument, const float *z, const ts_render_request *request, float *audio, int32_t capacity,
                    int32_t *samples, ts_memory *work) {
  if (instrument == NULL || z == NULL || request == NULL || audio == NULL || samples == NULL || work == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  Status status = check_request(instrument, z, request, capacity, work);
  if (status != TS_OK) return finished(work, &arena, status);
  int64_t length = request->samples;
  Levels levels;
  status = model_decode(instrument->model, z, &length, &levels, &arena);
  if (status != TS_OK) return finished(work, &arena, status);
  float *raw = TAKE(&arena, float, (size_t)length * (size_t)instrument->model->channels);
  if (raw == NULL) return finished(work, &arena, TS_MEMORY);
  status = render_levels(instrument, z, request, &levels, length, raw, &arena);
  if (status == TS_OK) status = deliver(instrument, request, raw, length, audio, capacity, samples, work, &arena);
  return finished(work, &arena, status);
}

ts_status ts_levels(const ts_instrument *instrument, const float *z, int32_t *samples, float *db, int32_t *frames, ts_memory *work) {
  if (instrument == NULL || z == NULL || samples == NULL || db == NULL || frames == NULL || work == NULL) return TS_ARGUMENT;
  Arena arena = arena_of(work);
  if (*samples < 0 || *samples > instrument->model->samples)
    return finished(work, &arena, refuse(work, "samples", *samples, 0, (double)instrument->model->samples));
  int64_t length = *samples;
  Levels levels;
  Status status = model_decode(instrument->model, z, &length, &levels, &arena);
  if (status == TS_OK) {
    __builtin_memcpy(db, levels.db, (size_t)levels.parts * (size_t)levels.frames * (size_t)levels.bands * sizeof *db);
    *samples = (int32_t)length, *frames = levels.frames;
  }
  return finished(work, &arena, status);
}
