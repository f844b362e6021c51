/* commands.h - one function per command of the command line; each parses its own options and
 * returns the exit code. Exit codes: 0 done, 1 refused input, 2 usage or configuration, 3
 * temporary, 4 bug (design: a contract). */
#ifndef COMMANDS_H
#define COMMANDS_H

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_dose(int argc, char **argv);
int command_phantom(int argc, char **argv);
int command_status(int argc, char **argv);
int command_treatment(int argc, char **argv);
int command_recompute(int argc, char **argv);
int command_resend(int argc, char **argv);
int command_quarantine(int argc, char **argv);
int command_prescribe(int argc, char **argv);
int command_calibrate(int argc, char **argv);

#endif
