/* Pitch and velocity as numbers of a latent (model/conditioning), and the axis in harmonics of the pitch (model/parts/pitch.py). */
#include "model.h"

static const double MARGIN = 4.0, FINER = 1.3;

static float notes_scale(const Notes *notes) { return (float)((notes->highest - notes->lowest + 2 * MARGIN) / 4); }

float notes_standard(const Notes *notes, float midi) { return (midi - notes->middle) / notes->scale; }

float notes_midi(const Notes *notes, float standard) { return standard * notes->scale + notes->middle; }

float velocity_standard(const Model *model, float velocity) {
  double middle = (model->lowest_velocity + model->highest_velocity) / 2, half = (model->highest_velocity - model->lowest_velocity) / 2;
  return (velocity - (float)middle) * (float)(1.5 / half);
}

double velocity_of(const Model *model, float standard) {
  return (model->lowest_velocity + model->highest_velocity) / 2 +
         (double)standard * (model->highest_velocity - model->lowest_velocity) / 2 / 1.5;
}

static int64_t ceiling(double x) {
  int64_t low = (int64_t)x;
  return low + ((double)low < x);
}

Status harmonic_axis(Model *model, const File *file, Arena *arena) {
  Notes *notes = &model->notes;
  notes->middle = (float)((notes->lowest + notes->highest) / 2);
  notes->scale = notes_scale(notes);
  double low = ts_midi_hertz(notes->lowest - MARGIN), high = ts_midi_hertz(notes->highest + MARGIN);
  int bands = model->bands;
  int64_t count = ceiling(bands * FINER);
  double *near = TAKE(arena, double, count + 1);
  if (near == NULL) return TS_MEMORY;
  for (int64_t i = 0; i < count; i++) {
    /* torch.linspace: from the nearer end */
    double step = (double)(bands - 1) / (double)(count - 1), at = i < count / 2 ? step * (double)i : (double)(bands - 1) - step * (double)(count - 1 - i);
    int64_t left = (int64_t)at > bands - 2 ? bands - 2 : (int64_t)at;
    double from = model->centres[left] / high, to = model->centres[left + 1] / high;
    near[i] = from + (at - (double)left) * (to - from);
  }
  double ratio = near[count - 1] / near[count - 2];
  if (!(near[0] >= 0 && near[count - 2] > 0 && ratio > 1.0 && model->centres[bands - 1] > 0)) return file_fault(file, TS_DAMAGED, "its notes do not fit its bands");
  int64_t further = ceiling(ts_log(model->centres[bands - 1] / low / near[count - 1]) / ts_log(ratio));
  if (further < 0) further = 0;
  if (further > 16384) return file_fault(file, TS_UNCOVERED, "its axis of harmonics has %d slots beyond its bands, allowed are 16384", further);
  double *slots = TAKE(arena, double, count + further);
  if (slots == NULL) return TS_MEMORY;
  for (int64_t i = 0; i < count; i++) slots[i] = near[i];
  for (int64_t i = 1; i <= further; i++) slots[count + i - 1] = near[count - 1] * ts_exp((double)i * ts_log(ratio));
  model->slots = slots;
  model->columns = (int)(count + further);
  return TS_OK;
}

void harmonic_rows(const Model *model, float midi, int32_t *at, float *weights) {
  double fundamental = ts_midi_hertz((double)midi);
  int points = model->columns, right = 1;
  for (int band = 0; band < model->bands; band++) {
    double place = model->centres[band] / fundamental;
    while (right < points - 1 && model->slots[right] < place) right++; /* places rise */
    double left = model->slots[right - 1], t = (place - left) / (model->slots[right] - left);
    t = t > 0.0 ? (t < 1.0 ? t : 1.0) : 0.0;
    double cubic[4] = {-0.5 * t + t * t - 0.5 * t * t * t, 1 - 2.5 * t * t + 1.5 * t * t * t, 0.5 * t + 2 * t * t - 1.5 * t * t * t,
                       -0.5 * t * t + 0.5 * t * t * t};
    for (int i = 0; i < 4; i++) {
      int column = right - 2 + i;
      at[4 * band + i] = column < 0 ? 0 : column > points - 1 ? points - 1 : column;
      weights[4 * band + i] = (float)cubic[i];
    }
  }
}
