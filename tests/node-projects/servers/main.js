document.title = 'Front end'
