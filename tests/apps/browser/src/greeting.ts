export const greeting = 'Hello from the front end'
