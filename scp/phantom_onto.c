/* phantom_onto.c - microspheres written into a real multi-echo series. */
#include "phantom_command.h"

enum status_code phantom_write_onto(struct phantom_treatment *treatment,
                                    const struct phantom_options *options, const char *folder,
                                    struct status *st)
{
	(void)treatment;
	(void)folder;
	return status_fail(st, STATUS_CONFIG, "--onto %s: not available in this build",
	                   options->onto);
}
