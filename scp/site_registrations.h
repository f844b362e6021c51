/* site_registrations.h - the Spatial Registration objects that a site sent of one patient.
 *
 * All of them are read; which of them say anything about the series of a treatment, and what, is
 * treatment.h's matter. One that cannot be used is named, never guessed at. */
#ifndef SITE_REGISTRATIONS_H
#define SITE_REGISTRATIONS_H

#include "catalogue.h"
#include "spatial_registration.h"

struct site_registrations {
	struct spatial_registration *objects; /* owned */
	int count;
	char faults[600]; /* those that cannot be read, a line each */
};

/* STATUS_RETRY: memory, or a file that cannot be read just now. The caller frees in every case. */
enum status_code site_registrations_load(struct site_registrations *registrations,
					 const struct catalogue_patient *patient,
					 struct status *st) STATUS_CHECKED;
void site_registrations_free(struct site_registrations *registrations);

/* The catalogue's instance of an object; NULL when it is not there. */
const struct catalogue_instance *
site_registrations_instance(const struct catalogue_patient *patient, const char *sop_instance_uid);

#endif
