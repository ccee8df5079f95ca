// Package web is the live page of a router: files that are in the binary, and
// the handler that serves them. The page itself asks the API and follows events,
// with the rights of the user who has logged in. Its files say nothing about the router
// and are served without a login.
//
// # No build step
//
// A browser gets the files below static as they lie there: modules of ECMAScript,
// one stylesheet, no other origin. index.html is served as /, everything else
// below /web/HASH/, where HASH is the hash of all files together. So modules import one
// another by relative paths, a browser may keep the files for good, and after an update
// it asks for other URLs. static/vendor has unchanged files of other projects, with
// their licences; a test compares them with SHA256SUMS there.
//
// # What the page may do
//
// The Content-Security-Policy allows scripts, styles, images and connections of
// the router alone, no inline script or style, no frame, no form, and with Trusted
// Types no text that becomes markup, but for the templates of lit-html, which are
// written in the page's own modules. Values are always text nodes or attributes.
//
// # The modules
//
//	app.js      which view is shown, keys, dialogs, the frame around views
//	api.js      asks the API, logs in and out; errors in words
//	live.js     one WebSocket; subscriptions, resuming, how far behind it is
//	store.js    the objects of topics, as snapshots and events tell them
//	log.js      the latest events, without duplicates, and as trees of causes
//	format.js   numbers, times and rates as text
//	figure.js   figures of the API, marked with their question and place in its answer
//	table.js    tables: columns, order, filter, cells that know their value
//	why.js      what explain route says
//	dialogs.js  the keys, and a view's questions as commands
//	login.js    what is shown before the login
//	views/*.js  one view each
//
// A view is an object that views/index.js lists. See views/index.js for its
// interface.
package web
