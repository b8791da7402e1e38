/*
 * control.h - the engine's side of daytona/control.h: other processes of the same user ask for a
 * record that is up to date, or set something of a connection.
 */
#ifndef DAYTONA_PRELOAD_CONTROL_H
#define DAYTONA_PRELOAD_CONTROL_H

/** The engine's thread, after record_begin(): listens beside the record. A descriptor that is
 *  readable when control_serve() has something to do, or -1: nobody can ask. */
int control_open(void);

/** Answers what has been asked. The engine's thread, engine locked; lets go of it now and then. */
void control_serve(void);

#endif
