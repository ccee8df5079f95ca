// The views, in the order of the navigation.
//
// A view is an object:
//   name     its place in the URL: #name, or #name?parameter=value
//   title    its heading, and its word in the navigation
//   key      g and this letter go there
//   open(page)  begins to show it and returns what is shown:
//     draw()    the template of its content; called once a frame at the most
//     tools()   the template of what stands beside the heading; may be absent
//     asks()    what "Copy as" offers: [{words: 'show route', path: '/v1/route'}],
//               words as routerd's command line has them, path with its parameters
//     moved(parameters)  the URL's parameters have changed while it is shown; may be
//               absent: the view is opened anew then
//     close()   ends what open began: subscriptions, timers, questions
//
// page, which app.js gives it, has
//   live        the connection: page.live.subscribe({topics, take, ...}), see live.js
//   store       the objects of topics, see store.js
//   who         {name, role} of the user who has logged in; may(role) tells if that suffices
//   parameters  of the URL, a URLSearchParams
//   go(name, parameters)   shows another view, or this one with other parameters
//   link(name, parameters) the URL of that
//   update()    has the view drawn again soon; a change in the store does too
//   say(text)   tells the user a sentence, and a screen reader too
//   fail(err)   likewise that something failed; nothing for a question given up

import config from './config.js';
import drops from './drops.js';
import events from './events.js';
import explain from './explain.js';
import protocols from './protocols.js';
import routes from './routes.js';
import sessions from './sessions.js';
import topology from './topology.js';
import traffic from './traffic.js';

export const views = [topology, traffic, sessions, routes, protocols, drops, explain, config, events];
